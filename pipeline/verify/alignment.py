"""Passages that two texts share, from the shingles of both.

Equal shingles are seeds. Seeds next to each other on one diagonal are a run of words that agree;
runs are chained over small gaps by dynamic programming (as in MUMmer's clusters: Delcher et al.
1999; for text: Grozea et al. 2009, "encoplot"), so that a passage with a few words changed is one
finding and not many. Only hashes are needed, so a work whose text was not kept is aligned as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FREQUENT = 8
"""A shingle that a text has more often than this is boilerplate: its places are paired in order
only, not each with each."""

_LOOK_BACK = 64
"""Runs that a run may be chained to, nearest first: bounds the work on hostile texts."""


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """A stretch of words shared by two texts, in words, half open.

    Attributes:
        start, end: in the asset.
        other_start, other_end: in the work.
        words: words of the asset's stretch that stand in an equal shingle of the work's stretch.
        longest: the longest run of such words without a break.
    """

    start: int
    end: int
    other_start: int
    other_end: int
    words: int
    longest: int

    @property
    def identity(self) -> float:
        """`words` over the longer stretch, in (0, 1]."""
        return self.words / max(self.end - self.start, self.other_end - self.other_start)


@dataclass(frozen=True)
class Runs:
    """Runs of agreeing words: int64 (n,) start in the asset, start in the work, and length."""

    start: NDArray[np.int64]
    other: NDArray[np.int64]
    length: NDArray[np.int64]


def seeds(
    mine: NDArray[np.uint64], theirs: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places (in `mine`, in `theirs`) of equal shingles, int64.

    A shingle frequent in either text pairs its first place with the first, its second with the
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


def runs(i: NDArray[np.int64], j: NDArray[np.int64], shingle_words: int) -> Runs:
    """Seeds joined along their diagonals; lengths in words."""
    diagonal = j - i
    order = np.lexsort((i, diagonal))
    i, j, diagonal = i[order], j[order], diagonal[order]
    breaks = np.flatnonzero((np.diff(diagonal) != 0) | (np.diff(i) != 1)) + 1
    first = np.concatenate([[0], breaks])
    last = np.concatenate([breaks, [len(i)]])
    length = last - first + shingle_words - 1
    rank = np.lexsort((j[first], i[first]))
    return Runs(i[first][rank], j[first][rank], length[rank])


def _equal(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> int:
    """How many values the two begin with in common."""
    count = min(len(a), len(b))
    differ = np.flatnonzero(a[:count] != b[:count])
    return int(differ[0]) if len(differ) else count


def joined(
    found: Runs,
    mine: NDArray[np.uint64],
    theirs: NDArray[np.uint64],
    shingle_words: int,
    max_gap: int,
) -> Runs:
    """Runs on one diagonal joined where the shingles between them, `max_gap` at most, agree as
    well, and lengthened by up to `max_gap` words where those beside them do.

    Seeds of frequent shingles are paired in order only, which can part a run that goes through
    them, or cut off its ends.
    """
    order = np.lexsort((found.start, found.other - found.start))
    kept: list[list[int]] = []
    for start, other, length in zip(
        found.start[order].tolist(),
        found.other[order].tolist(),
        found.length[order].tolist(),
        strict=True,
    ):
        if kept and kept[-1][1] - kept[-1][0] == other - start:
            last = kept[-1]
            end = last[0] + last[2] - shingle_words + 1  # the first shingle beyond the last run
            there = last[1] + end - last[0]
            if start - end <= max_gap and np.array_equal(mine[end:start], theirs[there:other]):
                last[2] = start + length - last[0]
                continue
        kept.append([start, other, length])
    for run in kept:
        start, other, length = run
        end, there = start + length - shingle_words + 1, other + length - shingle_words + 1
        before = _equal(mine[max(0, start - max_gap) : start][::-1], theirs[:other][::-1])
        after = _equal(mine[end : end + max_gap], theirs[there : there + max_gap])
        run[:] = start - before, other - before, length + before + after
    starts, others, lengths = np.array(sorted(kept), np.int64).T
    return Runs(starts, others, lengths)


def shared_passages(
    mine: NDArray[np.uint64],
    theirs: NDArray[np.uint64],
    *,
    shingle_words: int,
    max_gap: int,
    min_words: int,
    min_identity: float,
) -> list[SharedPassage]:
    """Passages that two texts share, longest first, then by place; they do not overlap in the
    asset.

    Args:
        mine, theirs: uint64, the shingles of the asset and of the work, one for each word but the
            last `shingle_words - 1`.
        shingle_words: words in a shingle.
        max_gap: words that may differ between two runs of one passage, on either side.
        min_words: least `words` of a passage.
        min_identity: least `identity` of a passage.
    """
    i, j = seeds(mine, theirs)
    if not len(i):
        return []
    found = joined(runs(i, j, shingle_words), mine, theirs, shingle_words, max_gap)
    passages = []
    taken = np.zeros(len(mine) + shingle_words - 1, np.bool_)
    for chain in _chains(found, max_gap):
        passage = _passage(found, chain)
        if passage.words < min_words or passage.identity < min_identity:
            continue
        if taken[passage.start : passage.end].mean() > 0.5:
            continue  # a repeat in the work of what another passage shows already
        taken[passage.start : passage.end] = True
        passages.append(passage)
    return sorted(passages, key=lambda p: (-p.words, p.start, p.other_start))


def _chains(found: Runs, max_gap: int) -> list[list[int]]:
    """Runs chained in order on both sides, best chains first, each run in one chain."""
    start, other, length = found.start.tolist(), found.other.tolist(), found.length.tolist()
    count = len(start)
    best: list[float] = [float(words) for words in length]
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
            score = best[k] + n - overlap - cost
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


def _passage(found: Runs, chain: list[int]) -> SharedPassage:
    starts = found.start[chain]
    ends = starts + found.length[chain]
    # Words in an equal shingle, each counted once though shingles overlap.
    words, reach = 0, -1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        words += max(0, end - max(start, reach))
        reach = max(reach, end)
    others = found.other[chain]
    return SharedPassage(
        start=int(starts.min()),
        end=int(ends.max()),
        other_start=int(others.min()),
        other_end=int((others + found.length[chain]).max()),
        words=words,
        longest=int(found.length[chain].max()),
    )
