"""Words of a script with their places in its raw text.

A word is normalised for comparison (compatibility forms, case, apostrophes, soft hyphens and
zero-width characters), and keeps the offsets it has in the text as decoded from the file.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from pipeline.records import LoadedScript

NORMALISATION = "nfkc-casefold/1"
"""Name of the normalisation; changed whenever a word would come out otherwise."""

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}"
    r"\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}"
)
# Soft hyphens, zero-width characters and joiners may stand inside a word and are not part of it.
_IGNORED = r"\u00ad\u200b-\u200d\u2060\ufeff"
_WORD = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{N}}]--[{_UNSPACED}]][[\p{{L}}\p{{N}}\p{{M}}{_IGNORED}]--[{_UNSPACED}]]*"
    rf"(?:['’ʼ＇][[\p{{L}}\p{{N}}\p{{M}}{_IGNORED}]--[{_UNSPACED}]]+)*",
    regex.V1,
)
_DROPPED = regex.compile(rf"['’ʼ＇{_IGNORED}]")


@dataclass(frozen=True)
class Words:
    """The words of a text, in order.

    Attributes:
        hashes: uint64 (n,), xxh3 of each normalised word in UTF-8.
        start, end: int64 (n,), its characters in the raw text, half open.
    """

    hashes: NDArray[np.uint64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hashes)


def normalised(word: str) -> str:
    """A word as it is compared; empty if nothing of it is left."""
    folded = unicodedata.normalize("NFKC", _DROPPED.sub("", word)).casefold()
    return unicodedata.normalize("NFKC", folded)


def words_of(script: LoadedScript) -> Words:
    """The words of a script's content spans; a word never reaches over the end of a span."""
    known: dict[str, int] = {}
    hashes: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for span in script.spans:
        for found in _WORD.finditer(script.text, span.start, span.end):
            word = found.group()
            value = known.get(word)
            if value is None:
                plain = normalised(word)
                # 0 stands for a word of which nothing is left, and is passed over.
                value = (xxhash.xxh3_64_intdigest(plain.encode()) or 1) if plain else 0
                known[word] = value
            if value:
                hashes.append(value)
                starts.append(found.start())
                ends.append(found.end())
    return Words(np.array(hashes, np.uint64), np.array(starts, np.int64), np.array(ends, np.int64))


def shingles_of(hashes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A 64-bit hash of every run of `length` words.

    Args:
        hashes: uint64 (n,), one for each word.
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
