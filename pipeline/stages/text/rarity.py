"""How common words are weighed down: what an agreeing word is worth, the rarer the more.

A word's weight is its self-information, -log2 of its share of all words, over 10 bits (about the
mean for running English text), so that a stretch of n ordinary words weighs about n. The shares are
counted in the index. So that a small index can judge too, every word also has a prior by its
length, for short words are common in every language that is written with letters (Zipf). Words of
phrases that many works share, or that the asset repeats, are weighed down once more.

A worked example, in an index of 1,000,000 words:

    word        occurrences  prior share  share of all words               bits  weight
    the              60,000  2 ** -7.5    (60,000 + 1,105) / 1.2 million    4.3  0.43
    ferry                40  2 ** -10.5   (40 + 138) / 1.2 million         12.7  1.27
    lighthouse            0  2 ** -14     (0 + 12) / 1.2 million           16.6  1.50, the most

The prior counts as 200,000 words, so "the" has 200,000 * 2 ** -7.5 = 1,105 occurrences of it. In a
phrase that 12 works share, "ferry" weighs 1.27 / (1 + ln 12) = 0.36.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RaritySettings:
    """Constants of the weights.

    Attributes:
        bits: self-information of a word of weight 1.
        least: of a weight: a long run of the commonest words is evidence too.
        most: of a weight: a few very rare words do not make a passage.
        prior_words: words of an index at which its counts and the prior weigh the same, about eight
            feature scripts.
        prior_bits: self-information of a word by its length in characters, from 0; the last for all
            longer words.
        common: works that share a phrase, or occurrences of it in the asset, from which on its
            words are weighed down; two works may be versions of one text.
    """

    bits: float = 10.0
    least: float = 0.2
    most: float = 1.5
    prior_words: float = 200_000.0
    prior_bits: tuple[float, ...] = (6.0, 6.0, 6.5, 7.5, 9.0, 10.5, 12.0, 13.0, 14.0)
    common: int = 3


SETTINGS = RaritySettings()


class Rarity:
    """Shares of the words of an index.

    Args:
        words: uint32 (n,), distinct hashes of words, ascending.
        counts: int64 (n,), occurrences of each in the index.
    """

    def __init__(self, words: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        self.words, self.counts = words, counts
        self.total = int(counts.sum())

    def weights(
        self, words: NDArray[np.uint32], characters: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The weight of each word by its share, float64 (m,).

        Args:
            words: uint32 (m,), hashes of words.
            characters: int64 (m,), length of each.
        """
        count = np.zeros(len(words), np.float64)
        if len(self.words):
            at = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
            known = self.words[at] == words
            count[known] = self.counts[at[known]]
        bits = np.array(SETTINGS.prior_bits)
        prior = 2.0 ** -bits[np.minimum(characters, len(bits) - 1)]
        share = (count + SETTINGS.prior_words * prior) / (self.total + SETTINGS.prior_words)
        return np.clip(-np.log2(share) / SETTINGS.bits, SETTINGS.least, SETTINGS.most)


def phrases_weighed_down(
    weights: NDArray[np.float64], commonness: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights with those of common phrases divided by 1 + ln of their commonness, float64 (m,).

    Args:
        weights: float64 (m,), of the asset's words.
        commonness: int64 (m,), of the phrase around each word: in how many works it is, or how
            often in the asset, whichever is more; at least 1.
    """
    common = commonness >= SETTINGS.common
    return weights / np.where(common, 1.0 + np.log(commonness), 1.0)
