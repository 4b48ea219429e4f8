"""Word-by-word alignment of a few words: in the gap between two runs, and beyond an end of a chain.

The recurrence is that of Smith and Waterman (1981): two equal words add the word's weight, two
words that differ cost, and so does a word without a partner. Plain Python is quick enough: a table
has at most `MOST_CELLS` cells, and stretches that share no word need none.

A worked example of `align_end`, with all weights 1 and `_COST` 0.6. Beyond the end are

    asset   and  then   slowly  home
    work    and  later  slowly  home
    score   1.0  0.4    1.4     2.4       along the diagonal of the table

The best score, 2.4, is at the last pair of words, so the pairs (0, 0), (2, 2) and (3, 3) are added.
Had the third and fourth words differed too, the best score would be 1.0, at the first pair.

`align_gap` is the same from corner to corner at a cost of 0: `a x b` and `a b` give (0, 0), (2, 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 1600
"""Cells of the largest table, 40 words by 40: bounds the time. Larger gaps are not aligned."""
REACH = 12
"""Words beyond an end that are aligned: an agreement farther off has seeds of its own."""
_COST = 0.6
"""Cost of a changed word at an end. An agreeing ordinary word (weight 1) outweighs one changed word
before it, not two, so an end does not creep into words that are not shared."""

Piece = tuple[int, int, int]
"""A run of agreeing words: its first word in the asset and in the work, and its length in words."""


def align_gap(
    asset: NDArray[np.uint32],
    work: NDArray[np.uint32],
    weights: NDArray[np.float64],
    asset_gap: tuple[int, int],
    work_gap: tuple[int, int],
) -> list[Piece]:
    """Agreeing words in the gap between two runs, in order: the heaviest common subsequence.

    Args:
        asset, work: uint32 (n,) and (m,), hashes of all words.
        weights: float64 (n,), of the asset's words.
        asset_gap, work_gap: words of the gap, half open.

    Returns:
        Runs of one word each; none if the gap is empty on one side or too large.
    """
    rows, columns = asset_gap[1] - asset_gap[0], work_gap[1] - work_gap[0]
    if rows <= 0 or columns <= 0 or rows * columns > MOST_CELLS:
        return []
    a = asset[asset_gap[0] : asset_gap[1]].tolist()
    b = work[work_gap[0] : work_gap[1]].tolist()
    if set(a).isdisjoint(b):
        return []
    gap_weights = weights[asset_gap[0] : asset_gap[1]].tolist()
    pairs = _aligned_pairs(a, b, gap_weights, cost=0.0, to_both_ends=True)
    return [(asset_gap[0] + i, work_gap[0] + j, 1) for i, j in pairs]


def align_end(
    asset: NDArray[np.uint32],
    work: NDArray[np.uint32],
    weights: NDArray[np.float64],
    asset_end: int,
    work_end: int,
    *,
    forwards: bool,
) -> list[Piece]:
    """Agreeing words beyond an end of a chain, up to where their weight less the costs is greatest.

    Args:
        asset, work, weights: as in `align_gap`.
        asset_end, work_end: forwards, the first words after the chain; backwards, the chain's first
            words.
        forwards: whether to go on after the chain's last word, or back before its first.

    Returns:
        Runs of one word each, in order.
    """
    if forwards:
        a, b = asset[asset_end : asset_end + REACH], work[work_end : work_end + REACH]
        end_weights = weights[asset_end : asset_end + REACH]
    else:
        asset_low, work_low = max(0, asset_end - REACH), max(0, work_end - REACH)
        a, b = asset[asset_low:asset_end][::-1], work[work_low:work_end][::-1]
        end_weights = weights[asset_low:asset_end][::-1]
    asset_words, work_words = a.tolist(), b.tolist()
    if set(asset_words).isdisjoint(work_words):
        return []
    pairs = _aligned_pairs(
        asset_words, work_words, end_weights.tolist(), cost=_COST, to_both_ends=False
    )
    if forwards:
        return [(asset_end + i, work_end + j, 1) for i, j in pairs]
    return [(asset_end - 1 - i, work_end - 1 - j, 1) for i, j in reversed(pairs)]


def _aligned_pairs(
    a: list[int], b: list[int], weights: list[float], *, cost: float, to_both_ends: bool
) -> list[tuple[int, int]]:
    """Positions of agreeing words in the best alignment of `a` and `b`.

    The alignment begins at the first words of both. It goes on to the last words of both, or else
    stops where its score is greatest.
    """
    columns = len(b)
    scores = [[-cost * j for j in range(columns + 1)]]
    top_score, top = 0.0, (0, 0)
    for i, word in enumerate(a):
        above = scores[-1]
        left = -cost * (i + 1)
        row = [left]
        weight = weights[i]
        for j in range(columns):
            score = above[j] + weight if b[j] == word else above[j] - cost
            if above[j + 1] - cost > score:
                score = above[j + 1] - cost
            if left - cost > score:
                score = left - cost
            row.append(score)
            left = score
            if score > top_score:
                top_score, top = score, (i + 1, j + 1)
        scores.append(row)
    i, j = (len(a), columns) if to_both_ends else top
    pairs = []
    while i > 0 and j > 0:
        score = scores[i][j]
        if a[i - 1] == b[j - 1] and score == scores[i - 1][j - 1] + weights[i - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif score == scores[i - 1][j] - cost:
            i -= 1
        elif score == scores[i][j - 1] - cost:
            j -= 1
        else:
            i, j = i - 1, j - 1
    return pairs[::-1]
