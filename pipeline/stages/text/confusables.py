"""Letters that look like letters of another script, and words put back into one script.

A word written in letters of two scripts at once ("sсene" with a Cyrillic с) is one that a reader
takes for another; Unicode Technical Standard 39 calls the letters confusable, and the form in
which all look-alikes are the same its skeleton. Here a word is folded only if scripts are mixed in
it, or if it is of a script foreign to its document and every letter of it has a look-alike there;
a Russian or Greek text stays as it is. The table holds the letters of the scripts that are used
for this; it is smaller than the standard's, which also lists symbols and rare scripts.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

_TO_LATIN = {
    # Cyrillic
    "АВЕЅІЈКМНОРСТУҮХԌԚԜѴЬҒЄ": "ABESIJKMHOPCTYYXGQWVbFE",
    "аеорсухѕіјһԁԛԝӏѵүгґӀкпвитмньғєқ": "aeopcyxsijhdqwlvyrrlknbutmhbfek",
    # Greek
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧͿ": "ABEZHIKMNOPTYXJ",
    "αγικνορσυχςϳετωηβμ": "ayikvopouxcjetwnbu",
    # Armenian
    "ՕՏՍԼՀօոսհցզյք": "OSULZonuhgqjp",
    # Cherokee
    "ᎠᎡᎢᎪᎫᎬᎳᎷᎻᎽᏀᏃᏎᏚᏙᏞᏟᏢᏦᏴ": "DRTAJEWMHYGZ4SVLCPKB",
    # Lisu
    "ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ": "BPDTGKJCZFMNLSRVHWXYAEIOU",
    # Coptic
    "ⲞⲢⲤⲦⲘⲔⲎⲒⲟⲣⲥⲓⲕ": "OPCTMKHIopcik",
}
_LATIN_ODD = {
    # Latin letters of phonetic writing and small capitals that stand for plain ones.
    "ɑɡɩɪʏʀʟʜɢʙɴᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱƅɨʋı": "agiiyrlhgbnacdejkmoptuvwzfsbivi"
}

LATIN = str.maketrans({a: b for group in _TO_LATIN.items() for a, b in zip(*group, strict=True)})
_TWINS = frozenset("АВЕЅІЈКМНОРСТХаеорсухѕіјһԁԛԝӏ'’ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονՕօԼհꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ")
"""Letters of which the shape is the same: a word of these alone may be one of either script."""
ODD_LATIN = str.maketrans(
    {a: b for group in _LATIN_ODD.items() for a, b in zip(*group, strict=True)}
)
_SCRIPTS = {
    "Latin": regex.compile(r"\p{Script=Latin}"),
    "Cyrillic": regex.compile(r"\p{Script=Cyrillic}"),
    "Greek": regex.compile(r"\p{Script=Greek}"),
}
_FOREIGN = regex.compile(
    r"[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}"
    r"\p{Script=Lisu}\p{Script=Coptic}]"
)
_LETTER = regex.compile(r"\p{L}")
_DIGIT_INSIDE = regex.compile(r"(?<=\p{L})[01](?=\p{L})")
_SHOWN_LETTERS = 1 << 16


def _into(script: str) -> dict[int, str]:
    """Latin letters to those of `script` that look like them."""
    pattern = _SCRIPTS[script]
    table: dict[int, str] = {}
    for letter, plain in LATIN.items():
        if isinstance(plain, str) and pattern.match(chr(letter)):
            table.setdefault(ord(plain), chr(letter))
    return table


_UNTELLING = dict.fromkeys([*LATIN, *map(ord, set(LATIN.values()))])
"""For str.translate: letters that tell nothing of the script of their text."""
_INTO = {script: _into(script) for script in ("Cyrillic", "Greek")}


def script_of(text: str) -> str:
    """`Latin`, `Cyrillic` or `Greek`: the script of most letters that look like none of another;
    `Latin` if there are none.

    So a text every letter of which was exchanged that could be is still what it was. Of a long
    text, its first 65,536 characters decide.
    """
    head = text[:_SHOWN_LETTERS]
    # Each character once tells whether there is anything to count.
    if head.isascii() or not _FOREIGN.search("".join(set(head))):
        return "Latin"
    telling = head.translate(_UNTELLING)
    counts = {name: len(pattern.findall(telling)) for name, pattern in _SCRIPTS.items()}
    return max(counts, key=lambda name: counts[name])


def unmixed(word: str, script: str) -> tuple[str, int]:
    """A word in the letters of one script.

    Args:
        word: as found, in compatibility form (NFKC).
        script: of its document, as `script_of` names it.

    Returns:
        The word, and how many of its letters were look-alikes; 0 if it is as it was.
    """
    if script != "Latin":
        into = _INTO[script]
        own = len(_SCRIPTS[script].findall(word))
        if not own or own == len(_LETTER.findall(word)):
            return word, 0
        folded = word.translate(into)
        return folded, _changed(word, folded)
    folded = word.translate(ODD_LATIN)
    odd = _changed(word.replace("ı", "i"), folded)
    foreign = _FOREIGN.findall(folded)
    if not foreign:
        return _DIGIT_INSIDE.sub(lambda m: "ol"[int(m.group())], folded), odd
    mixed = len(foreign) < len(_LETTER.findall(folded))
    if not mixed and not _TWINS.issuperset(folded):
        return word, 0  # a word of another language
    latin = folded.translate(LATIN)
    return latin, odd + _changed(folded, latin)


def _changed(one: Iterable[str], other: Iterable[str]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))
