"""Confusables: letters that look like letters of another script; words put back into one script.

Unicode Technical Standard 39 calls such letters confusable, and the form of a word in which all
confusable letters are the same its skeleton. "sсene" with a Cyrillic с is a word in mixed scripts.
Here a word is folded only if it mixes scripts, or if it is in a script foreign to its document and
every letter of it has a confusable there; a Russian or Greek text stays as it is. The table holds
the letters of scripts that are in use for this; it is smaller than the standard's, which also lists
symbols and rare scripts.
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
    # Latin letters of phonetic notation and small capitals that look like plain ones.
    "ɑɡɩɪʏʀʟʜɢʙɴᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱƅɨʋı": "agiiyrlhgbnacdejkmoptuvwzfsbivi"
}

LATIN = str.maketrans({a: b for group in _TO_LATIN.items() for a, b in zip(*group, strict=True)})
_SAME_FORM = frozenset(
    "АВЕЅІЈКМНОРСТХаеорсухѕіјһԁԛԝӏ'’ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονՕօԼհꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ"
)
"""Letters with the same shape in both scripts: a word of only these may belong to either."""
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
_SCRIPT_SAMPLE = 1 << 16
"""Characters of a text that decide its script."""


def _from_latin(script: str) -> dict[int, str]:
    """For str.translate: Latin letters to the letters of `script` that look like them."""
    pattern = _SCRIPTS[script]
    table: dict[int, str] = {}
    for letter, plain in LATIN.items():
        if isinstance(plain, str) and pattern.match(chr(letter)):
            table.setdefault(ord(plain), chr(letter))
    return table


_CONFUSABLE = dict.fromkeys([*LATIN, *map(ord, set(LATIN.values()))])
"""For str.translate: deletes letters that look like letters of another script."""
_FROM_LATIN = {script: _from_latin(script) for script in ("Cyrillic", "Greek")}


def script_of(text: str) -> str:
    """`Latin`, `Cyrillic` or `Greek`: the script of most letters that are not confusable; `Latin`
    if there are none.

    So a text keeps its script even if every letter that has a confusable was replaced by it. Of a
    long text, the first 65,536 characters decide.
    """
    head = text[:_SCRIPT_SAMPLE]
    # Quick test on each character once: without a foreign letter there is nothing to count.
    if head.isascii() or not _FOREIGN.search("".join(set(head))):
        return "Latin"
    distinct = head.translate(_CONFUSABLE)
    counts = {name: len(pattern.findall(distinct)) for name, pattern in _SCRIPTS.items()}
    return max(counts, key=lambda name: counts[name])


def unmixed(word: str, script: str) -> tuple[str, int]:
    """A word in the letters of one script.

    Args:
        word: in compatibility form (NFKC).
        script: of its document, as `script_of` names it.

    Returns:
        The word, and how many of its letters were replaced.
    """
    if script != "Latin":
        own = len(_SCRIPTS[script].findall(word))
        if not own or own == len(_LETTER.findall(word)):
            return word, 0
        folded = word.translate(_FROM_LATIN[script])
        return folded, _changed(word, folded)
    folded = word.translate(ODD_LATIN)
    replaced = _changed(word.replace("ı", "i"), folded)
    foreign = _FOREIGN.findall(folded)
    if not foreign:
        return _DIGIT_INSIDE.sub(lambda m: "ol"[int(m.group())], folded), replaced
    mixed = len(foreign) < len(_LETTER.findall(folded))
    if not mixed and not _SAME_FORM.issuperset(folded):
        return word, 0  # a word of another language
    latin = folded.translate(LATIN)
    return latin, replaced + _changed(folded, latin)


def _changed(one: Iterable[str], other: Iterable[str]) -> int:
    """How many characters of two words of the same length differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))
