"""Equal pairs of words as seeds, runs along diagonals, and chains of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FREQUENT = 8
"""A pair that a text has more often than this is boilerplate: its places are paired in order only,
not each with each."""

_LOOK_BACK = 64
"""Runs that a run may be chained to, nearest first: bounds the work on hostile texts."""
_STRONG = 4
"""Words of a run beside which shorter ones may be more than chance."""
_DEFINITE = 24
"""Words of a run inside which short ones elsewhere are chance."""
_CELL = 32
_MANY = 200
"""Runs from which on those that stand alone are left out."""


@dataclass(frozen=True)
class Runs:
    """Runs of agreeing words: int64 (n,) start in the asset, start in the work, and length."""

    start: NDArray[np.int64]
    other: NDArray[np.int64]
    length: NDArray[np.int64]


def seeds(
    mine: NDArray[np.uint64], theirs: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places (in `mine`, in `theirs`) of equal values, int64.

    A value frequent in either text pairs its first place with the first, its second with the
    second and so on; all others pair each place with each.
    """
    my_order = np.argsort(mine, kind="stable")
    their_order = np.argsort(theirs, kind="stable")
    my_values, my_first, my_count = np.unique(mine[my_order], return_index=True, return_counts=True)
    their_values, their_first, their_count = np.unique(
        theirs[their_order], return_index=True, return_counts=True
    )
    _, a, b = np.intersect1d(my_values, their_values, assume_unique=True, return_indices=True)
    if not len(a):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    p, q = my_count[a], their_count[b]
    crossed = (p <= FREQUENT) & (q <= FREQUENT)
    sizes = np.where(crossed, p * q, np.minimum(p, q))
    group = np.repeat(np.arange(len(a)), sizes)
    ends = np.cumsum(sizes)
    nth = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    across = crossed[group]
    i = my_first[a][group] + np.where(across, nth // q[group], nth)
    j = their_first[b][group] + np.where(across, nth % q[group], nth)
    return my_order[i], their_order[j]


def runs(i: NDArray[np.int64], j: NDArray[np.int64], seed_words: int) -> Runs:
    """Seeds joined along their diagonals; lengths in words."""
    diagonal = j - i
    order = np.lexsort((i, diagonal))
    i, j, diagonal = i[order], j[order], diagonal[order]
    breaks = np.flatnonzero((np.diff(diagonal) != 0) | (np.diff(i) != 1)) + 1
    first = np.concatenate([[0], breaks])
    last = np.concatenate([breaks, [len(i)]])
    return Runs(i[first], j[first], last - first + seed_words - 1)


def joined(found: Runs, mine: NDArray[np.uint32], theirs: NDArray[np.uint32], max_gap: int) -> Runs:
    """Runs on one diagonal joined where the words between them, `max_gap` at most, agree as well.

    Seeds of frequent pairs are paired in order only, which can part a run that goes through them.

    Args:
        found: sorted by diagonal, then by start, as `runs` gives them.
    """
    kept: list[list[int]] = []
    for start, other, length in zip(
        found.start.tolist(), found.other.tolist(), found.length.tolist(), strict=True
    ):
        if kept and kept[-1][1] - kept[-1][0] == other - start:
            last = kept[-1]
            end = last[0] + last[2]
            there = last[1] + last[2]
            if start - end <= max_gap and np.array_equal(mine[end:start], theirs[there:other]):
                last[2] = start + length - last[0]
                continue
        kept.append([start, other, length])
    starts, others, lengths = np.array(kept, np.int64).T
    return Runs(starts, others, lengths)


def extended(found: Runs, mine: NDArray[np.uint32], theirs: NDArray[np.uint32]) -> Runs:
    """Runs lengthened to both sides as far as words agree, each once, sorted by start."""
    end, there = found.start + found.length, found.other + found.length
    last, other_last = len(mine) - 1, len(theirs) - 1
    goes_on = (end <= last) & (there <= other_last)
    goes_on &= mine[np.minimum(end, last)] == theirs[np.minimum(there, other_last)]
    goes_back = (found.start > 0) & (found.other > 0)
    goes_back &= mine[found.start - 1] == theirs[found.other - 1]
    grown = set(zip(found.start.tolist(), found.other.tolist(), found.length.tolist(), strict=True))
    for place in np.flatnonzero(goes_on | goes_back).tolist():
        start, other, length = (
            int(found.start[place]), int(found.other[place]), int(found.length[place])
        )  # fmt: skip
        grown.discard((start, other, length))
        before = _equal(mine[:start][::-1], theirs[:other][::-1])
        after = _equal(mine[start + length :], theirs[other + length :])
        grown.add((start - before, other - before, length + before + after))
    starts, others, lengths = np.array(sorted(grown), np.int64).T
    return Runs(starts, others, lengths)


def _equal(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> int:
    """How many values the two begin with in common."""
    most = min(len(a), len(b))
    if most == 0 or a[0] != b[0]:
        return 0
    done, step = 0, 16
    while done < most:
        stop = min(most, done + step)
        differ = np.flatnonzero(a[done:stop] != b[done:stop])
        if len(differ):
            return done + int(differ[0])
        done, step = stop, step * 4
    return most


def near_strong(found: Runs) -> Runs:
    """Without the short runs that chance brings: inside a long run's stretch, and, where there are
    many, with no longer run near them.
    """
    keep = np.ones(len(found.start), np.bool_)
    for place in np.flatnonzero(found.length >= _DEFINITE).tolist():
        start, end = found.start[place], found.start[place] + found.length[place]
        keep &= ~(
            (found.length * 3 < found.length[place])
            & (found.start >= start)
            & (found.start + found.length <= end)
        )
    if int(keep.sum()) > _MANY:
        across, along = (found.other - found.start) // _CELL, found.start // _CELL
        strong = np.flatnonzero(keep & (found.length >= _STRONG))
        near = np.zeros(len(keep), np.bool_)
        width = np.int64(1 << 31)
        cells = np.unique(across[strong] * width + along[strong])
        for side in (-1, 0, 1):
            for step in (-1, 0, 1):
                near |= np.isin((across + side) * width + along + step, cells)
        keep &= near
    return Runs(found.start[keep], found.other[keep], found.length[keep])


def chained(found: Runs, total: NDArray[np.float64], max_gap: int) -> list[list[int]]:
    """Runs chained in order on both sides, best chains first, each run in one chain.

    Args:
        found: sorted by start, then by start in the work.
        total: float64 (words + 1,), running sum of the asset's words' weights.
        max_gap: words that may lie between two runs, on either side.
    """
    start, other, length = found.start.tolist(), found.other.tolist(), found.length.tolist()
    heavy = (total[found.start + found.length] - total[found.start]).tolist()
    count = len(start)
    best: list[float] = list(heavy)
    before = [-1] * count
    # Runs are sorted by their start, so those that may precede stand just before, except that a
    # long run reaches far: those are kept apart until the front has passed them.
    open_runs: list[int] = []
    for here in range(count):
        s, o, n = start[here], other[here], length[here]
        open_runs = [k for k in open_runs if s - (start[k] + length[k]) <= max_gap]
        for k in open_runs[-_LOOK_BACK:]:
            gap = s - (start[k] + length[k])
            other_gap = o - (other[k] + length[k])
            if s <= start[k] or o <= other[k] or other_gap > max_gap:
                continue
            overlap = max(0, -gap, -other_gap)
            if overlap >= n:
                continue
            cost = 0.25 * max(gap, other_gap, 0) + 0.5 * abs(other_gap - gap)
            score = best[k] + heavy[here] * (1 - overlap / n) - cost
            if score > best[here]:
                best[here], before[here] = score, k
        open_runs.append(here)
    used = [False] * count
    chains = []
    for tail in sorted(range(count), key=lambda k: (-best[k], k)):
        chain = []
        k = tail
        while k >= 0 and not used[k]:
            used[k] = True
            chain.append(k)
            k = before[k]
        if chain:
            chains.append(chain[::-1])
    return chains
