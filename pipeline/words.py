"""Words of a script with their places in its raw text.

A word is normalised for comparison (compatibility forms, case, apostrophes, characters that are not
seen, letters that look like others, hyphens at the end of a line), and keeps the offsets it has in
the text as decoded from the file. What the normalisation undid is counted: a text in which letters
were exchanged for look-alikes was made so by somebody.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from pipeline.elements import PART, Part, elements_of
from pipeline.lookalikes import script_of, unmixed
from pipeline.records import LoadedScript

NORMALISATION = "nfkc-casefold-skeleton/2"
"""Name of the normalisation; changed whenever a word would come out otherwise."""

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}"
)
_UNSEEN = (
    r"\u200b\u2060-\u2064\ufeff\u034f\u180e\ufe00-\ufe0f\U000e0001-\U000e007f\u115f\u1160\u3164"
)
_JOINERS = r"\u200c\u200d"
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Soft hyphens and characters that are not seen may stand inside a word and are not part of it.
_IGNORED = rf"\u00ad{_UNSEEN}{_JOINERS}{_BIDI}"
_APOSTROPHES = r"'’ʼ＇‘‛´`"
_BREAK = r"[-\u2010\u00ad][ \t]*(?:\r\n|\r|\n)[ \t]*"
# Letters in circles and squares, which Unicode counts as symbols.
_ENCLOSED = r"\u24b6-\u24e9\U0001f130-\U0001f149"
_INNER = rf"[[\p{{L}}\p{{N}}\p{{M}}{_ENCLOSED}{_IGNORED}]--[{_UNSPACED}]]"
_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}{_ENCLOSED}]--[{_UNSPACED}]]{_INNER}*"
    rf"(?:(?:[{_APOSTROPHES}]|{_BREAK}){_INNER}+)*",
    regex.V1,
)
_EXOTIC = regex.compile(rf"[\p{{M}}{_UNSPACED}{_ENCLOSED}{_IGNORED}]")
# The standard library's engine is twice as fast, but knows no scripts and no marks.
_PLAIN_WORD = re.compile(rf"[^\W_]+(?:(?:[{_APOSTROPHES}]|{_BREAK})[^\W_]+)*")
_DROPPED = regex.compile(rf"[{_APOSTROPHES}{_IGNORED}]")
_AT_BREAK = regex.compile(_BREAK)
_COUNTED_UNSEEN = regex.compile(rf"[{_UNSEEN}]")
_COUNTED_BIDI = regex.compile(rf"[{_BIDI}]")
_LETTERS_JOINED = regex.compile(rf"(?<=[\p{{Latin}}\p{{Cyrillic}}\p{{Greek}}])[{_JOINERS}]")
_JOINER = regex.compile(rf"[{_JOINERS}]")
_TELLING = regex.compile(
    r"[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Lisu}"
    r"\p{Script=Coptic}ɑɡɩɪʏʀʟʜɢʙɴᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱƅɨʋ\uff21-\uff5a\U0001d400-\U0001d7ff"
    rf"{_ENCLOSED}]"
)
"""What must be in a Latin text for a letter of it to be counted as a look-alike or as styled."""
_ONE_SCRIPT = regex.compile(r"\P{Script=Latin}*")
_STYLED = regex.compile(rf"[\uff21-\uff5a\U0001d400-\U0001d7ff{_ENCLOSED}]")

UNSEEN, BIDI, SOFT, LOOKALIKE, STYLED = (
    "invisible characters",
    "direction controls",
    "soft hyphens",
    "look-alike letters",
    "styled letters",
)
"""Disguises that are counted, as they are called for people."""


@dataclass(frozen=True)
class Words:
    """The words of a text, in order.

    Attributes:
        hashes: uint64 (n,), xxh3 of each normalised word in UTF-8.
        start, end: int64 (n,), its characters in the raw text, half open.
        part: uint8 (n,), the `Part` it stands in.
        disguises: what was undone, in characters, by what it is called; nothing that was not met.
    """

    hashes: NDArray[np.uint64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    part: NDArray[np.uint8]
    disguises: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.hashes)


def normalised(word: str, script: str = "Latin") -> str:
    """A word as it is compared; empty if nothing of it is left.

    `script` is the document's, see `lookalikes.script_of`.
    """
    return _normalised(word, script)[0]


def _normalised(word: str, script: str) -> tuple[str, int, int]:
    """The word, and how many of its letters were look-alikes, and how many styled."""
    bare = _DROPPED.sub("", word)
    if bare.isascii():
        return (bare.casefold() if bare.isalpha() else unmixed(bare, script)[0].casefold()), 0, 0
    plain = unicodedata.normalize("NFKC", bare)
    folded, alike = unmixed(plain, script)
    styled = len(_STYLED.findall(bare)) if script == "Latin" else 0
    return unicodedata.normalize("NFKC", folded.casefold()), alike, styled


def words_of(script: LoadedScript) -> Words:
    """The words of a script's content; a word never reaches over the end of an element."""
    text = script.text
    written = script_of(text)
    present = "" if text.isascii() else "".join(sorted(set(text)))
    odd = [at.start() for at in _EXOTIC.finditer(text)] if _EXOTIC.search(present) else []
    known = _known(written)
    hashes: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    sizes: list[tuple[int, int]] = []
    parted: list[int] = []
    met: Counter[str] = Counter()
    for span in elements_of(script):
        before = len(hashes)
        next_odd = bisect_left(odd, span.start)
        exotic = next_odd < len(odd) and odd[next_odd] < span.end
        pattern: Any = _WORD if exotic else _PLAIN_WORD
        for found in pattern.finditer(text, span.start, span.end):
            word = found.group()
            value = known.get(word)
            if value is None:
                value = _value(word, written)
                if "\n" in word or "\r" in word:
                    if value:
                        parted.append(len(hashes))
                else:
                    known[word] = value
            if value:
                hashes.append(value)
                start, end = found.span()
                starts.append(start)
                ends.append(end)
        sizes.append((PART.get(span.element, Part.COMPARED), len(hashes) - before))
    if present:
        met.update(_disguises(text, present, starts, ends, written))
    parts = np.repeat(
        np.array([part for part, _ in sizes], np.uint8), [count for _, count in sizes]
    )
    made = Words(
        np.array(hashes, np.uint64),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        parts,
        {name: count for name, count in met.items() if count},
    )
    return _mended(made, text, written, parted) if parted else made


_MOST_KNOWN = 1 << 18
_KNOWN: dict[str, dict[str, int]] = {}


def _known(script: str) -> dict[str, int]:
    """Values of words met before, in documents of one script; emptied when it has grown large."""
    known = _KNOWN.setdefault(script, {})
    if len(known) > _MOST_KNOWN:
        known = _KNOWN[script] = {}
    return known


def _value(word: str, script: str) -> int:
    """The hash of a word as it is compared; 0, which stands for none, if nothing is left of it."""
    plain = normalised(_AT_BREAK.sub("", word), script)
    return (xxhash.xxh3_64_intdigest(plain.encode()) or 1) if plain else 0


def _disguises(
    text: str, present: str, starts: list[int], ends: list[int], script: str
) -> Mapping[str, int]:
    """What hides words of a text, in characters.

    Args:
        text: with something beyond ASCII in it.
        present: each of its characters once.
        starts, ends: of its words.
        script: of the text.
    """
    met: Counter[str] = Counter()
    for name, pattern in ((UNSEEN, _COUNTED_UNSEEN), (BIDI, _COUNTED_BIDI)):
        if pattern.search(present):
            met[name] += len(pattern.findall(text))
    if _JOINER.search(present):
        met[UNSEEN] += len(_LETTERS_JOINED.findall(text))
    met[SOFT] += text.count("\u00ad")
    if _TELLING.search(present) if script == "Latin" else not _ONE_SCRIPT.fullmatch(present):
        counted: dict[str, tuple[int, int]] = {}
        for start, end in zip(starts, ends, strict=True):
            word = text[start:end]
            if script == "Latin" and word.isascii():
                continue
            found = counted.get(word)
            if found is None:
                found = counted[word] = _normalised(_AT_BREAK.sub("", word), script)[1:]
            met[LOOKALIKE] += found[0]
            met[STYLED] += found[1]
    return met


def _mended(words: Words, text: str, script: str, parted: list[int]) -> Words:
    """Words with a hyphen at the end of a line: one word if it is met elsewhere in the text, or
    its halves are not; else as many as the hyphens part.

    Args:
        parted: places of such words.
    """
    values = frozenset(words.hashes.tolist())
    whole = frozenset(np.delete(words.hashes, parted).tolist())
    hashes, starts, ends, parts = (
        array.tolist() for array in (words.hashes, words.start, words.end, words.part)
    )
    for place in reversed(parted):
        halves = list(_halves(text, starts[place], ends[place]))
        pieces = [_value(text[a:b], script) for a, b in halves]
        one_word = hashes[place] in whole or not all(piece in values for piece in pieces)
        if (one_word and text[halves[-1][0]].islower()) or not all(pieces):
            continue
        hashes[place : place + 1] = pieces
        starts[place : place + 1] = [a for a, _ in halves]
        ends[place : place + 1] = [b for _, b in halves]
        parts[place : place + 1] = [parts[place]] * len(halves)
    return Words(
        np.array(hashes, np.uint64),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        np.array(parts, np.uint8),
        words.disguises,
    )


def _halves(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    place = start
    for at in _AT_BREAK.finditer(text, start, end):
        yield place, at.start()
        place = at.end()
    yield place, end


def shingles_of(hashes: NDArray[np.unsignedinteger], length: int) -> NDArray[np.uint64]:
    """A 64-bit hash of every run of `length` words.

    Args:
        hashes: unsigned (n,), one for each word.
        length: words in a shingle, at least 1.

    Returns:
        uint64 (max(0, n - length + 1),). Words' hashes are combined by multiply, xor and shift as
        in splitmix64, so that the order of the words matters.
    """
    count = len(hashes) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    state = np.full(count, 0x9E3779B97F4A7C15, np.uint64)
    for place in range(length):
        state ^= hashes[place : place + count]
        state *= np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(29)
    state *= np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(32))
