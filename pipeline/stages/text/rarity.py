"""What an agreeing word is worth: the rarer, the more.

A word's weight is its self-information, -log2 of its share of all words, over 10 bits (about the
mean for running English text), so that a stretch of n ordinary words weighs about n. The shares are
counted in the index; so that a small index can judge too, every word also has a prior by its
length, for short words are common in every language that is written with letters (Zipf).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 10.0
LEAST, MOST = 0.2, 1.5
PRIOR_WORDS = 200_000.0
"""Words of an index that weigh as much as the prior."""
_PRIOR_BITS = np.array([6.0, 6.0, 6.5, 7.5, 9.0, 10.5, 12.0, 13.0, 14.0])
"""By characters, from 0; the last for all longer words."""


class Rarity:
    """Shares of words.

    Args:
        words: uint32 (n,), distinct, ascending.
        counts: int64 (n,), how often each stands in the index.
    """

    def __init__(self, words: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        self.words, self.counts = words, counts
        self.total = int(counts.sum())

    def weights(
        self, words: NDArray[np.uint32], characters: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """What each word is worth, float64 (m,), between `LEAST` and `MOST`.

        Args:
            words: uint32 (m,).
            characters: int64 (m,), of each.
        """
        count = np.zeros(len(words), np.float64)
        if len(self.words):
            at = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
            known = self.words[at] == words
            count[known] = self.counts[at[known]]
        prior = 2.0 ** -_PRIOR_BITS[np.minimum(characters, len(_PRIOR_BITS) - 1)]
        share = (count + PRIOR_WORDS * prior) / (self.total + PRIOR_WORDS)
        return np.clip(-np.log2(share) / BITS, LEAST, MOST)
