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

from pipeline.load.loaded import LoadedScript
from pipeline.stages.text.confusables import script_of, unmixed
from pipeline.stages.text.elements import PART, Part, elements_of, laid_open

NORMALISATION = "nfkc-casefold-skeleton/3"
"""Name of the normalisation; changed whenever a word would come out otherwise."""

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}"
)
# What Unicode calls default ignorable, control codes, and marks of annotations.
_UNSEEN = (
    r"\x80-\x84\x86-\x9f\u034f\u115f\u1160\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    r"\U000e01f0-\U000e0fff"
)
# These have a use in other scripts and beside pictures; among letters of ours they hide a word.
_JOINERS = r"\u17b4\u17b5\u180b-\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Soft hyphens and characters that are not seen may stand inside a word and are not part of it.
_IGNORED = rf"\u00ad{_UNSEEN}{_JOINERS}{_BIDI}"
_APOSTROPHES = r"'’ʼ＇‘‛´`"
_BREAK = r"[-\u2010\u00ad][ \t]*(?:\r\n|\r|\n)[ \t]*"
# Letters in circles and squares, which Unicode counts as symbols.
_ENCLOSED = (
    r"\u249c-\u24e9\U0001f110-\U0001f129\U0001f130-\U0001f149\U0001f150-\U0001f169"
    r"\U0001f170-\U0001f189"
)
# Of these, the compatibility form is in parentheses, or there is none.
_PLAIN_LETTER = {
    start + place: chr(97 + place)
    for start in (0x249C, 0x1F110, 0x1F150, 0x1F170)
    for place in range(26)
}
# A hyphen at the end of a line; a soft one before it is taken as an inner character of the word.
_PARTED = r"(?:[-\u2010]|(?<=\u00ad))[ \t]*(?:\r\n|\r|\n)[ \t]*"
# Marks that are laid over letters; what is left of them once letters have their accents.
_MARKS = r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
_INNER = rf"[[[\p{{L}}\p{{N}}\p{{M}}{_ENCLOSED}]--[{_UNSPACED}]]{_IGNORED}]"
_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}{_ENCLOSED}]--[{_UNSPACED}]]{_INNER}*"
    rf"(?:(?:[{_APOSTROPHES}]|{_PARTED}){_INNER}+)*",
    regex.V1,
)
_EXOTIC = regex.compile(rf"[\p{{M}}{_UNSPACED}{_ENCLOSED}{_IGNORED}]")
# The standard library's engine is twice as fast, but knows no scripts and no marks.
_PLAIN_WORD = re.compile(rf"[^\W_]+(?:(?:[{_APOSTROPHES}]|{_BREAK})[^\W_]+)*")
_DROPPED = regex.compile(rf"[{_APOSTROPHES}{_IGNORED}]")
_AT_BREAK = regex.compile(_BREAK)
_LAID_OVER = regex.compile(rf"[{_MARKS}]")
_STRUCK = regex.compile(r"[\u0305\u0332-\u0338\u033f\u20d2-\u20e5\u20ea]")
_HEAPED = regex.compile(r"(\p{M}{30})\p{M}+")
"""More marks on one letter than any language has (Unicode Standard Annex 15, stream-safe text);
putting them in order takes as long as the square of their number."""
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

UNSEEN, BIDI, SOFT, LOOKALIKE, STYLED, STRUCK = (
    "invisible characters",
    "direction controls",
    "soft hyphens",
    "look-alike letters",
    "styled letters",
    "lines through or around letters",
)
"""Disguises that are counted, as they are called for people."""


_SINGLE = [chr(code) for code in (*range(0x61, 0x7B), *range(0x3B1, 0x3CA), *range(0x430, 0x450))]
_MOST_SINGLE = 0.5
"""Share of words of one letter; of English about 0.05, of Portuguese 0.1."""
_MOST_LETTERS = 25.0
"""Mean letters of a word; of Finnish about 8."""
_SAMPLE = 10_000


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
    folded, alike = unmixed(_plain(bare), script)
    styled = len(_STYLED.findall(bare)) if script == "Latin" else 0
    return _plain(folded.casefold()), alike, styled


def _plain(word: str) -> str:
    """The compatibility form, without marks that are no letter's accents."""
    safe = _HEAPED.sub(r"\1", word.translate(_PLAIN_LETTER))
    return _LAID_OVER.sub("", unicodedata.normalize("NFKC", safe))


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
    sizes: list[tuple[Part, int]] = []
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
        np.array(laid_open(sizes, script.format), np.uint8), [count for _, count in sizes]
    )
    made = Words(
        np.array(hashes, np.uint64),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        parts,
        {name: count for name, count in met.items() if count},
    )
    return _mended(made, text, written, parted) if parted else made


def untellable(text: str, words: Words) -> str | None:
    """Why a text's words can't be told apart, as the end of a sentence; None if they can.

    Letters that are spaced out, and words without spaces between them, would else be compared
    with nothing that is like them, and said to match nothing.
    """
    if not len(words):
        return None
    single = np.array([_value(letter, "Latin") for letter in _SINGLE], np.uint64)
    share = float(np.isin(words.hashes, single).mean())
    if share > _MOST_SINGLE:
        return (
            f"{share:.0%} of its words are single letters, as of a text that is spaced out; save "
            "it without spaces between the letters"
        )
    ends = zip(words.start[:_SAMPLE].tolist(), words.end[:_SAMPLE].tolist(), strict=True)
    letters = sum(sum(map(str.isalpha, text[start:end])) for start, end in ends)
    if letters > _MOST_LETTERS * min(len(words), _SAMPLE):
        return (
            f"its words have {letters // min(len(words), _SAMPLE):,} letters on average, as of a "
            "text without spaces; save it with spaces between the words"
        )
    return None


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
    for name, pattern in (
        (UNSEEN, _COUNTED_UNSEEN),
        (BIDI, _COUNTED_BIDI),
        (STRUCK, _STRUCK),
    ):
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
    # Each word with what it is replaced by: cutting lists up would take the square of their length.
    replaced: dict[int, list[tuple[int, int, int]]] = {}
    for place in parted:
        halves = list(_halves(text, int(words.start[place]), int(words.end[place])))
        pieces = [_value(text[a:b], script) for a, b in halves]
        one_word = int(words.hashes[place]) in whole or not all(piece in values for piece in pieces)
        if (one_word and text[halves[-1][0]].islower()) or not all(pieces):
            continue
        replaced[place] = [(piece, a, b) for piece, (a, b) in zip(pieces, halves, strict=True)]
    if not replaced:
        return words
    places = np.array(list(replaced), np.int64)
    counts = np.ones(len(words), np.int64)
    counts[places] = [len(made) for made in replaced.values()]
    hashes, starts = np.repeat(words.hashes, counts), np.repeat(words.start, counts)
    ends, parts = np.repeat(words.end, counts), np.repeat(words.part, counts)
    first = np.cumsum(counts) - counts
    sizes = counts[places]
    into = np.arange(sizes.sum()) + np.repeat(first[places] - np.cumsum(sizes) + sizes, sizes)
    made = [one for pieces in replaced.values() for one in pieces]
    hashes[into] = np.array([one[0] for one in made], np.uint64)
    starts[into] = [one[1] for one in made]
    ends[into] = [one[2] for one in made]
    return Words(hashes, starts, ends, parts, words.disguises)


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
