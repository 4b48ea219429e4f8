"""Word-by-word alignment of short stretches: between two runs, and beyond the ends of a chain.

Smith and Waterman's recurrence (1981): a word that agrees adds its weight, a pair that differs or a
word without a partner costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 1600
"""Stretches whose words multiply to more are left as they are."""
REACH = 12
"""Words beyond an end that are looked at."""
_COST = 0.6

Piece = tuple[int, int, int]
"""A run: start in the asset, start in the work, words."""


def between(
    mine: NDArray[np.uint32],
    theirs: NDArray[np.uint32],
    weight: NDArray[np.float64],
    stretch: tuple[int, int],
    other: tuple[int, int],
) -> list[Piece]:
    """Words that agree, in order, between two runs: the heaviest common subsequence.

    Args:
        mine, theirs: uint32, words.
        weight: float64 (len(mine),).
        stretch, other: in the asset and in the work, half open.
    """
    rows, columns = stretch[1] - stretch[0], other[1] - other[0]
    if rows <= 0 or columns <= 0 or rows * columns > MOST_CELLS:
        return []
    a = mine[stretch[0] : stretch[1]].tolist()
    b = theirs[other[0] : other[1]].tolist()
    if set(a).isdisjoint(b):
        return []
    pairs = _best(a, b, weight[stretch[0] : stretch[1]].tolist(), cost=0.0, whole=True)
    return [(stretch[0] + i, other[0] + j, 1) for i, j in pairs]


def beyond(
    mine: NDArray[np.uint32],
    theirs: NDArray[np.uint32],
    weight: NDArray[np.float64],
    start: int,
    other: int,
    *,
    forwards: bool,
) -> list[Piece]:
    """Words that agree beyond an end of a chain, as far as they outweigh those that do not.

    Args:
        start, other: the first words beyond the end, in the asset and in the work; backwards, the
            first words of the chain.
        forwards: whether it is the chain's last end.
    """
    if forwards:
        a, b = mine[start : start + REACH], theirs[other : other + REACH]
        w = weight[start : start + REACH]
    else:
        low, other_low = max(0, start - REACH), max(0, other - REACH)
        a, b = mine[low:start][::-1], theirs[other_low:other][::-1]
        w = weight[low:start][::-1]
    words, others = a.tolist(), b.tolist()
    if set(words).isdisjoint(others):
        return []
    pairs = _best(words, others, w.tolist(), cost=_COST, whole=False)
    if forwards:
        return [(start + i, other + j, 1) for i, j in pairs]
    return [(start - 1 - i, other - 1 - j, 1) for i, j in reversed(pairs)]


def _best(
    a: list[int], b: list[int], weight: list[float], *, cost: float, whole: bool
) -> list[tuple[int, int]]:
    """Pairs of the best alignment that begins at the beginnings of both, and ends at their ends
    (`whole`) or wherever it is best.
    """
    columns = len(b)
    scores = [[-cost * j for j in range(columns + 1)]]
    top, end = 0.0, (0, 0)
    for i, word in enumerate(a):
        above = scores[-1]
        left = -cost * (i + 1)
        row = [left]
        value = weight[i]
        for j in range(columns):
            score = above[j] + value if b[j] == word else above[j] - cost
            if above[j + 1] - cost > score:
                score = above[j + 1] - cost
            if left - cost > score:
                score = left - cost
            row.append(score)
            left = score
            if score > top:
                top, end = score, (i + 1, j + 1)
        scores.append(row)
    i, j = (len(a), columns) if whole else end
    pairs = []
    while i > 0 and j > 0:
        here = scores[i][j]
        if a[i - 1] == b[j - 1] and here == scores[i - 1][j - 1] + weight[i - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif here == scores[i - 1][j] - cost:
            i -= 1
        elif here == scores[i][j - 1] - cost:
            j -= 1
        else:
            i, j = i - 1, j - 1
    return pairs[::-1]
