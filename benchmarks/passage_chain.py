"""Synthetic scripts of any number of words: a seeded Markov chain over the words of real texts.

A step follows the last word, or the last two: mixed so that two scripts share about as many runs of
three words, and of more, as two real plays do. Rare words take endings, so that the vocabulary goes
on growing as that of real texts does (Heaps' law).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.passage_disguises import NAMES
from benchmarks.passage_texts import cue_length

TWO_WORDS = 0.45
"""Share of steps that follow the last two words."""
RARE = 2
"""Occurrences up to which a word is rare and takes endings."""
ENDINGS = 4000
LINE_WORDS = 8
_MARKS = ".,;:!?’”)—-"


class Chain:
    """The words of some texts, and which may follow which.

    Attributes:
        words: every different word, with its punctuation.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        words = [word for text in texts for word in _spoken(text)]
        if not words:
            raise ValueError("the texts have no words")
        self.words, ids, counts = np.unique(
            np.array(words, dtype=object).astype(str), return_inverse=True, return_counts=True
        )
        self._ids: NDArray[np.int64] = ids.astype(np.int64)
        self._rare = counts <= RARE
        self._after_one = _Places(self._ids)
        pairs = np.roll(self._ids, 1) * len(self.words) + self._ids
        self._after_two = _Places(np.unique(pairs, return_inverse=True)[1].astype(np.int64))
        rng = np.random.default_rng(len(words))
        letters = np.array(list("aeiourstlnmdkgbp"))
        self._endings = [
            "".join(rng.choice(letters, int(rng.integers(2, 5)))) for _ in range(ENDINGS)
        ]

    def scripts(self, count: int, words: int, seed: int) -> list[str]:
        """`count` scripts of `words` words each."""
        rng = np.random.default_rng(seed)
        ids, size = self._ids, len(self._ids)
        place = rng.integers(size, size=count)
        drawn = np.empty((words, count), np.int64)
        for step in range(words):
            drawn[step] = ids[place]
            equal = np.where(
                rng.random(count) < TWO_WORDS,
                self._after_two.another(place, rng),
                self._after_one.another(place, rng),
            )
            place = (equal + 1) % size
        return [self._written(drawn[:, k], np.random.default_rng([seed, k])) for k in range(count)]

    def _written(self, drawn: NDArray[np.int64], rng: np.random.Generator) -> str:
        """Words as speeches of several lines with their cues."""
        words = self.words[drawn].tolist()
        rare = np.flatnonzero(self._rare[drawn])
        # Few endings often and many seldom, as words themselves are.
        endings = (ENDINGS * rng.random(len(rare)) ** 3).astype(np.int64)
        for place, ending in zip(rare.tolist(), endings.tolist(), strict=True):
            words[place] = words[place].rstrip(_MARKS) + self._endings[ending]
        lines = [" ".join(words[k : k + LINE_WORDS]) for k in range(0, len(words), LINE_WORDS)]
        cast = rng.permutation(NAMES)[:8].tolist()
        speeches = []
        at = 0
        for length in rng.integers(1, 9, len(lines)).tolist():
            if at >= len(lines):
                break
            cue = cast[int(rng.integers(len(cast)))].upper()
            speeches.append("\n".join([cue, *lines[at : at + length]]))
            at += length
        return "\n\n".join(speeches) + "\n"


class _Places:
    """Positions by the value there."""

    def __init__(self, kinds: NDArray[np.int64]) -> None:
        self._kinds = kinds
        self._order = np.argsort(kinds, kind="stable")
        self._count = np.bincount(kinds)
        self._first = np.cumsum(self._count) - self._count

    def another(self, place: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each place, a random place with the same value."""
        kind = self._kinds[place]
        nth = (rng.random(len(place)) * self._count[kind]).astype(np.int64)
        positions: NDArray[np.int64] = self._order[self._first[kind] + nth]
        return positions


def _spoken(text: str) -> list[str]:
    """The words of every block, its cue left out."""
    return [
        word
        for block in text.split("\n\n")
        for word in block[cue_length(block.strip("\n")) :].split()
    ]
