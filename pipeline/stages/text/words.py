"""Words of a script with their offsets in its raw text.

A word is normalised for comparison (compatibility forms, case, apostrophes, invisible characters,
confusable letters, hyphens at the end of a line), and keeps the offsets it has in the text as
decoded from the file. Obfuscation that normalisation undid is counted: letters do not become
confusable ones by accident.
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
from pipeline.stages.text.elements import PART_OF_ELEMENT, Part, elements_of, parts_of

NORMALISATION = "nfkc-casefold-skeleton/3"
"""Name of the normalisation; change it whenever a word would be normalised otherwise."""

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}"
)
# What Unicode calls default ignorable, control codes, and marks of annotations.
_INVISIBLE = (
    r"\x80-\x84\x86-\x9f\u034f\u115f\u1160\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    r"\U000e01f0-\U000e0fff"
)
# Joiners and variation selectors. Other scripts and emoji need them; among Latin, Cyrillic or Greek
# letters they hide a word.
_JOINERS = r"\u17b4\u17b5\u180b-\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Soft hyphens and invisible characters may be inside a word and are not part of it.
_IGNORED = rf"\u00ad{_INVISIBLE}{_JOINERS}{_BIDI}"
_APOSTROPHES = r"'’ʼ＇‘‛´`"
_BREAK = r"[-\u2010\u00ad][ \t]*(?:\r\n|\r|\n)[ \t]*"
# Letters in circles and squares, which Unicode classes as symbols.
_ENCLOSED = (
    r"\u249c-\u24e9\U0001f110-\U0001f129\U0001f130-\U0001f149\U0001f150-\U0001f169"
    r"\U0001f170-\U0001f189"
)
# Those whose compatibility form is in parentheses, or that have none.
_PLAIN_LETTER = {
    start + place: chr(97 + place)
    for start in (0x249C, 0x1F110, 0x1F150, 0x1F170)
    for place in range(26)
}
# A hyphen at the end of a line; a soft hyphen is matched as an inner character of the word.
_HYPHENATED = r"(?:[-\u2010]|(?<=\u00ad))[ \t]*(?:\r\n|\r|\n)[ \t]*"
# Combining marks: those that are left once letters have their accents hide letters.
_MARKS = r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
_INNER = rf"[[[\p{{L}}\p{{N}}\p{{M}}{_ENCLOSED}]--[{_UNSPACED}]]{_IGNORED}]"
_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}{_ENCLOSED}]--[{_UNSPACED}]]{_INNER}*"
    rf"(?:(?:[{_APOSTROPHES}]|{_HYPHENATED}){_INNER}+)*",
    regex.V1,
)
_EXOTIC = regex.compile(rf"[\p{{M}}{_UNSPACED}{_ENCLOSED}{_IGNORED}]")
# The standard library's engine is twice as fast, but has no classes for scripts and marks.
_PLAIN_WORD = re.compile(rf"[^\W_]+(?:(?:[{_APOSTROPHES}]|{_BREAK})[^\W_]+)*")
_DROPPED = regex.compile(rf"[{_APOSTROPHES}{_IGNORED}]")
_AT_BREAK = regex.compile(_BREAK)
_COMBINING = regex.compile(rf"[{_MARKS}]")
_STRUCK = regex.compile(r"[\u0305\u0332-\u0338\u033f\u20d2-\u20e5\u20ea]")
_STACKED = regex.compile(r"(\p{M}{30})\p{M}+")
"""More marks on one letter than any language has (Unicode Standard Annex 15, stream-safe text);
putting them in order takes as long as the square of their number."""
_COUNTED_INVISIBLE = regex.compile(rf"[{_INVISIBLE}]")
_COUNTED_BIDI = regex.compile(rf"[{_BIDI}]")
_LETTERS_JOINED = regex.compile(rf"(?<=[\p{{Latin}}\p{{Cyrillic}}\p{{Greek}}])[{_JOINERS}]")
_JOINER = regex.compile(rf"[{_JOINERS}]")
_SUSPECT = regex.compile(
    r"[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Lisu}"
    r"\p{Script=Coptic}ɑɡɩɪʏʀʟʜɢʙɴᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱƅɨʋ\uff21-\uff5a\U0001d400-\U0001d7ff"
    rf"{_ENCLOSED}]"
)
"""A Latin text without any of these has no confusable and no styled letter to count."""
_ONE_SCRIPT = regex.compile(r"\P{Script=Latin}*")
_STYLED = regex.compile(rf"[\uff21-\uff5a\U0001d400-\U0001d7ff{_ENCLOSED}]")

INVISIBLE, BIDI, SOFT, CONFUSABLE, STYLED, STRUCK = (
    "invisible characters",
    "direction controls",
    "soft hyphens",
    "look-alike letters",
    "styled letters",
    "lines through or around letters",
)
"""Kinds of obfuscation that are counted, by the name that people read."""


_LETTERS = [chr(code) for code in (*range(0x61, 0x7B), *range(0x3B1, 0x3CA), *range(0x430, 0x450))]
_MOST_SINGLE = 0.5
"""Share of words of one letter above which letters are spaced out. English has about 0.05,
Portuguese 0.1."""
_MOST_LETTERS = 25.0
"""Mean letters of a word above which there are no spaces between words; Finnish has about 8."""
_SAMPLE = 10_000
"""Words of which the mean is taken."""


@dataclass(frozen=True)
class Words:
    """The words of a text, in order.

    Attributes:
        hashes: uint64 (n,), xxh3 of each normalised word in UTF-8.
        start, end: int64 (n,), its characters in the raw text, half open.
        part: uint8 (n,), the `Part` it belongs to.
        obfuscation: characters of each kind of obfuscation that was undone, by the kind's name;
            kinds that do not occur are left out.
    """

    hashes: NDArray[np.uint64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    part: NDArray[np.uint8]
    obfuscation: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.hashes)


def normalised(word: str, script: str = "Latin") -> str:
    """A word as it is compared; empty if it has only characters that are ignored.

    Args:
        word: as in the text.
        script: of the document, see `confusables.script_of`.
    """
    return _normalised(word, script)[0]


def _normalised(word: str, script: str) -> tuple[str, int, int]:
    """The normalised word, and how many of its letters were confusable, and how many styled."""
    bare = _DROPPED.sub("", word)
    if bare.isascii():
        return (bare.casefold() if bare.isalpha() else unmixed(bare, script)[0].casefold()), 0, 0
    folded, confusable = unmixed(_plain(bare), script)
    styled = len(_STYLED.findall(bare)) if script == "Latin" else 0
    return _plain(folded.casefold()), confusable, styled


def _plain(word: str) -> str:
    """The compatibility form (NFKC), without combining marks that are no letter's accent."""
    safe = _STACKED.sub(r"\1", word.translate(_PLAIN_LETTER))
    return _COMBINING.sub("", unicodedata.normalize("NFKC", safe))


def words_of(script: LoadedScript) -> Words:
    """The words of a script's content; a word never reaches over the end of an element."""
    text = script.text
    text_script = script_of(text)
    present = "" if text.isascii() else "".join(sorted(set(text)))
    exotic = [match.start() for match in _EXOTIC.finditer(text)] if _EXOTIC.search(present) else []
    cache = _cache(text_script)
    hashes: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    sizes: list[tuple[Part, int]] = []
    hyphenated: list[int] = []
    obfuscation: Counter[str] = Counter()
    for span in elements_of(script):
        before = len(hashes)
        next_exotic = bisect_left(exotic, span.start)
        has_exotic = next_exotic < len(exotic) and exotic[next_exotic] < span.end
        pattern: Any = _WORD if has_exotic else _PLAIN_WORD
        for match in pattern.finditer(text, span.start, span.end):
            word = match.group()
            value = cache.get(word)
            if value is None:
                value = _word_hash(word, text_script)
                if "\n" in word or "\r" in word:
                    if value:
                        hyphenated.append(len(hashes))
                else:
                    cache[word] = value
            if value:
                hashes.append(value)
                start, end = match.span()
                starts.append(start)
                ends.append(end)
        sizes.append((PART_OF_ELEMENT.get(span.element, Part.COMPARED), len(hashes) - before))
    if present:
        obfuscation.update(_obfuscation(text, present, starts, ends, text_script))
    parts = np.repeat(
        np.array(parts_of(sizes, script.format), np.uint8), [count for _, count in sizes]
    )
    words = Words(
        np.array(hashes, np.uint64),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        parts,
        {name: count for name, count in obfuscation.items() if count},
    )
    return _split_hyphenated(words, text, text_script, hyphenated) if hyphenated else words


def segmentation_fault(text: str, words: Words) -> str | None:
    """Why a text can't be split into words, as the end of a sentence; None if it can.

    A text whose letters are spaced out, or that has no spaces, shares no word with any work. It
    would be reported as having no match.
    """
    if not len(words):
        return None
    single = np.array([_word_hash(letter, "Latin") for letter in _LETTERS], np.uint64)
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


_MOST_CACHED = 1 << 18
_CACHES: dict[str, dict[str, int]] = {}


def _cache(script: str) -> dict[str, int]:
    """Hashes by word, of documents in one script; emptied when it has grown large."""
    cache = _CACHES.setdefault(script, {})
    if len(cache) > _MOST_CACHED:
        cache = _CACHES[script] = {}
    return cache


def _word_hash(word: str, script: str) -> int:
    """The hash of a normalised word, at least 1; 0 if it has only characters that are ignored."""
    plain = normalised(_AT_BREAK.sub("", word), script)
    return (xxhash.xxh3_64_intdigest(plain.encode()) or 1) if plain else 0


def _obfuscation(
    text: str, present: str, starts: list[int], ends: list[int], script: str
) -> Mapping[str, int]:
    """Characters of each kind of obfuscation, by the kind's name.

    Args:
        text: with something beyond ASCII in it.
        present: each of its characters once: searching these first is quicker.
        starts, ends: of its words.
        script: of the text.
    """
    counts: Counter[str] = Counter()
    for name, pattern in (
        (INVISIBLE, _COUNTED_INVISIBLE),
        (BIDI, _COUNTED_BIDI),
        (STRUCK, _STRUCK),
    ):
        if pattern.search(present):
            counts[name] += len(pattern.findall(text))
    if _JOINER.search(present):
        counts[INVISIBLE] += len(_LETTERS_JOINED.findall(text))
    counts[SOFT] += text.count("\u00ad")
    if _SUSPECT.search(present) if script == "Latin" else not _ONE_SCRIPT.fullmatch(present):
        by_word: dict[str, tuple[int, int]] = {}
        for start, end in zip(starts, ends, strict=True):
            word = text[start:end]
            if script == "Latin" and word.isascii():
                continue
            letters = by_word.get(word)
            if letters is None:
                letters = by_word[word] = _normalised(_AT_BREAK.sub("", word), script)[1:]
            counts[CONFUSABLE] += letters[0]
            counts[STYLED] += letters[1]
    return counts


def _split_hyphenated(words: Words, text: str, script: str, hyphenated: list[int]) -> Words:
    """Words hyphenated at the end of a line, split where the hyphen belongs to a compound.

    Such a word stays one word if it occurs elsewhere in the text, or if one of its halves does not,
    unless the last half has a capital; otherwise it becomes as many words as the hyphens separate.

    Args:
        hyphenated: positions of such words.
    """
    hashes_present = frozenset(words.hashes.tolist())
    others = frozenset(np.delete(words.hashes, hyphenated).tolist())
    # Collected first: to insert them one by one would take the square of the text's length.
    replacements: dict[int, list[tuple[int, int, int]]] = {}
    for position in hyphenated:
        halves = list(_halves(text, int(words.start[position]), int(words.end[position])))
        hashes = [_word_hash(text[a:b], script) for a, b in halves]
        one_word = int(words.hashes[position]) in others or not hashes_present.issuperset(hashes)
        if (one_word and text[halves[-1][0]].islower()) or not all(hashes):
            continue
        replacements[position] = [
            (value, a, b) for value, (a, b) in zip(hashes, halves, strict=True)
        ]
    if not replacements:
        return words
    positions = np.array(list(replacements), np.int64)
    counts = np.ones(len(words), np.int64)
    counts[positions] = [len(pieces) for pieces in replacements.values()]
    all_hashes, starts = np.repeat(words.hashes, counts), np.repeat(words.start, counts)
    ends, parts = np.repeat(words.end, counts), np.repeat(words.part, counts)
    first = np.cumsum(counts) - counts
    sizes = counts[positions]
    into = np.arange(sizes.sum()) + np.repeat(first[positions] - np.cumsum(sizes) + sizes, sizes)
    pieces = [piece for group in replacements.values() for piece in group]
    all_hashes[into] = np.array([piece[0] for piece in pieces], np.uint64)
    starts[into] = [piece[1] for piece in pieces]
    ends[into] = [piece[2] for piece in pieces]
    return Words(all_hashes, starts, ends, parts, words.obfuscation)


def _halves(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of what hyphens at the end of a line separate."""
    for match in _AT_BREAK.finditer(text, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


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
    for offset in range(length):
        state ^= hashes[offset : offset + count]
        state *= np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(29)
    state *= np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(32))
