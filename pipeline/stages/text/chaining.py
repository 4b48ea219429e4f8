"""Seed and chain: the runs of words that two texts share in order, inside one box.

1. `seeds`: positions of equal pairs of neighbouring words.
2. `runs_of`: seeds one after the other on a diagonal (work position minus asset position) are a run
   of equal words. `_joined` and `_extended` make runs as long as the words allow, and
   `_without_chance_runs` drops short runs that chance explains.
3. `_chained`: runs in order on both sides are chained over small gaps by dynamic programming, as in
   MUMmer's clusters (Delcher et al. 1999) and, for text, encoplot (Grozea et al. 2009).
4. `_filled`: gaps and ends of a chain are aligned word by word (`local_alignment`).

A worked example, with each word's weight 1 and `max_gap` 15. Positions count words from 0:

    position   0    1      2     3   4      5   6   7       8
    asset      the  ferry  left  at  six    as  it  always  did
    work       the  ferry  left  at  seven  as  it  always  does

    seeds      asset 0 1 2 5 6, work 0 1 2 5 6: "the ferry", "ferry left", "left at", "as it", ...
    runs       (0, 0, 4) and (5, 5, 3), as (asset start, work start, length): seeds 0, 1, 2 cover
               3 + 2 - 1 = 4 words
    chain      gap of 1 word on both sides, no shift: 4 + 3 - 0.25 * 1 - 0.5 * 0 = 6.75, more than
               4 or 3 for a run by itself, so both runs are one chain
    filled     "six" and "seven" differ, and so do "did" and "does": nothing is added
    result     Chain(runs=[[0, 0, 4], [5, 5, 3]], weight=7.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.local_alignment import Piece, align_end, align_gap


@dataclass(frozen=True, slots=True)
class ChainingSettings:
    """Constants of seeding and chaining. They affect the result; some of them also bound the time.

    Attributes:
        seed_words: words of a seed. One word has too many equals; with three, a passage in which
            every third word is changed would have no seed.
        frequent: positions of a pair of words in one text above which the pair is boilerplate.
            Its positions are paired in order, not each with each: at most 8 * 8 seeds for a pair.
        gap_cost: cost of each word of the longer gap between two chained runs, in weight; an
            ordinary word weighs 1, so a run of n words pays for a gap of 4 n.
        shift_cost: cost of each word by which the two gaps differ in length (words put in or left
            out), more than `gap_cost`, since a changed word leaves both gaps the same.
        look_back: runs before a run that it may be chained to, the latest ones: bounds the time on
            hostile texts.
        strong: words of a run that chance rarely brings.
        definite: words of a run that is copied for certain. Other runs in its stretch of the asset,
            shorter than a third of it, are chance.
        many: runs from which on those without a strong run near them are dropped: bounds the time.
        near: words, on the diagonal and along it, of a cell; "near" is the same cell or one of its
            eight neighbours.
        least_runs: weight of a chain's runs below which it is dropped before it is filled: a seed
            of two frequent words is no beginning.
        least_chain: weight of a filled chain below which it is dropped.
    """

    seed_words: int = 2
    frequent: int = 8
    gap_cost: float = 0.25
    shift_cost: float = 0.5
    look_back: int = 64
    strong: int = 4
    definite: int = 24
    many: int = 200
    near: int = 32
    least_runs: float = 1.5
    least_chain: float = 2.5


SETTINGS = ChainingSettings()


class Box(NamedTuple):
    """A part of the asset and a part of the work that may agree, in words, half open."""

    asset_start: int
    asset_end: int
    work_start: int
    work_end: int


class Chain(NamedTuple):
    """Runs of agreeing words, in order on both sides.

    Attributes:
        runs: int64 (n, 3): start in the asset, start in the work, length, in words.
        weight: of the agreeing words, summed.
    """

    runs: NDArray[np.int64]
    weight: float

    @property
    def box(self) -> Box:
        """The words from the first run to the last."""
        first, last = self.runs[0].tolist(), self.runs[-1].tolist()
        return Box(first[0], last[0] + last[2], first[1], last[1] + last[2])

    @property
    def words(self) -> int:
        """How many words agree."""
        return int(self.runs[:, 2].sum())


@dataclass(frozen=True)
class Runs:
    """Runs of agreeing words.

    Attributes:
        asset_start, work_start, length: int64 (n,), in words.
    """

    asset_start: NDArray[np.int64]
    work_start: NDArray[np.int64]
    length: NDArray[np.int64]

    def triples(self) -> list[Piece]:
        """Asset start, work start and length of each."""
        columns = (self.asset_start.tolist(), self.work_start.tolist(), self.length.tolist())
        return list(zip(*columns, strict=True))

    @classmethod
    def of(cls, triples: Sequence[Sequence[int]]) -> Runs:
        """The runs of at least one triple."""
        return cls(*np.array(triples, np.int64).T)


def chains_of(
    asset: NDArray[np.uint32],
    work: NDArray[np.uint32],
    box: Box,
    weights: NDArray[np.float64],
    cumulative: NDArray[np.float64],
    max_gap: int,
) -> list[Chain]:
    """The chains inside a box, each run in one chain.

    Args:
        asset, work: uint32 (n,) and (m,), hashes of all words of both texts.
        box: where to look.
        weights: float64 (n,), what each word of the asset counts if it agrees.
        cumulative: float64 (n + 1,), running sum of `weights` from 0.
        max_gap: words that may lie between two runs of a chain, on either side.
    """
    i, j = seeds(
        _word_pairs(asset[box.asset_start : box.asset_end]),
        _word_pairs(work[box.work_start : box.work_end]),
    )
    if not len(i):
        return []
    runs = runs_of(i + box.asset_start, j + box.work_start, SETTINGS.seed_words)
    runs = _extended(_joined(runs, asset, work, max_gap), asset, work)
    runs = _without_chance_runs(runs)
    run_weights = weight_of(runs.asset_start, runs.length, cumulative)
    triples = runs.triples()
    chains = []
    for members in _chained(runs, run_weights, max_gap):
        if float(run_weights[members].sum()) < SETTINGS.least_runs:
            continue
        filled = _filled([triples[k] for k in members], asset, work, weights)
        weight = float(weight_of(filled[:, 0], filled[:, 2], cumulative).sum())
        if weight >= SETTINGS.least_chain:
            chains.append(Chain(filled, weight))
    return chains


def weight_of(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], cumulative: NDArray[np.float64]
) -> NDArray[np.float64]:
    """float64 (n,): the weight of the words of each run in the asset."""
    weights: NDArray[np.float64] = cumulative[starts + lengths] - cumulative[starts]
    return weights


def _word_pairs(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """uint64 (n - 1,): each word with the next one, as one number."""
    return (words[:-1].astype(np.uint64) << np.uint64(32)) | words[1:]


def seeds(
    asset: NDArray[np.uint64], work: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of equal values.

    A value frequent in either text pairs its first position with the first, its second with the
    second and so on; all others pair each position with each.

    Args:
        asset, work: uint64 (n,) and (m,), the pairs of words of both texts.

    Returns:
        int64 (k,) positions in `asset`, and int64 (k,) in `work`.
    """
    asset_order = np.argsort(asset, kind="stable")
    work_order = np.argsort(work, kind="stable")
    asset_values, asset_first, asset_count = np.unique(
        asset[asset_order], return_index=True, return_counts=True
    )
    work_values, work_first, work_count = np.unique(
        work[work_order], return_index=True, return_counts=True
    )
    _, a, b = np.intersect1d(asset_values, work_values, assume_unique=True, return_indices=True)
    if not len(a):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    p, q = asset_count[a], work_count[b]
    each_with_each = (p <= SETTINGS.frequent) & (q <= SETTINGS.frequent)
    sizes = np.where(each_with_each, p * q, np.minimum(p, q))
    # Seed `nth` of shared value `value`: row and column of a p by q table, or nth of both.
    value = np.repeat(np.arange(len(a)), sizes)
    ends = np.cumsum(sizes)
    nth = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    crossed = each_with_each[value]
    i = asset_first[a][value] + np.where(crossed, nth // q[value], nth)
    j = work_first[b][value] + np.where(crossed, nth % q[value], nth)
    return asset_order[i], work_order[j]


def runs_of(i: NDArray[np.int64], j: NDArray[np.int64], seed_words: int) -> Runs:
    """Seeds joined along their diagonals, sorted by diagonal, then by start.

    Args:
        i, j: int64 (k,), positions of seeds in the asset and in the work.
        seed_words: words of a seed.
    """
    diagonal = j - i
    order = np.lexsort((i, diagonal))
    i, j, diagonal = i[order], j[order], diagonal[order]
    breaks = np.flatnonzero((np.diff(diagonal) != 0) | (np.diff(i) != 1)) + 1
    first = np.concatenate([[0], breaks])
    last = np.concatenate([breaks, [len(i)]])
    return Runs(i[first], j[first], last - first + seed_words - 1)


def _joined(runs: Runs, asset: NDArray[np.uint32], work: NDArray[np.uint32], max_gap: int) -> Runs:
    """Runs on one diagonal joined where the words between them, `max_gap` at most, agree as well.

    Seeds of frequent pairs are paired in order only, which can part a run that goes through them.

    Args:
        runs: sorted by diagonal, then by start, as `runs_of` gives them.
    """
    joined: list[list[int]] = []
    for start, work_start, length in runs.triples():
        if joined and joined[-1][1] - joined[-1][0] == work_start - start:
            before = joined[-1]
            end, work_end = before[0] + before[2], before[1] + before[2]
            between = asset[end:start], work[work_end:work_start]
            if start - end <= max_gap and np.array_equal(*between):
                before[2] = start + length - before[0]
                continue
        joined.append([start, work_start, length])
    return Runs.of(joined)


def _extended(runs: Runs, asset: NDArray[np.uint32], work: NDArray[np.uint32]) -> Runs:
    """Runs lengthened to both sides as far as words agree, each once, sorted by asset start."""
    end, work_end = runs.asset_start + runs.length, runs.work_start + runs.length
    last, work_last = len(asset) - 1, len(work) - 1
    goes_on = (end <= last) & (work_end <= work_last)
    goes_on &= asset[np.minimum(end, last)] == work[np.minimum(work_end, work_last)]
    goes_back = (runs.asset_start > 0) & (runs.work_start > 0)
    goes_back &= asset[runs.asset_start - 1] == work[runs.work_start - 1]
    triples = runs.triples()
    extended = set(triples)
    for place in np.flatnonzero(goes_on | goes_back).tolist():
        start, work_start, length = triples[place]
        extended.discard((start, work_start, length))
        before = _common_prefix(asset[:start][::-1], work[:work_start][::-1])
        after = _common_prefix(asset[start + length :], work[work_start + length :])
        extended.add((start - before, work_start - before, length + before + after))
    return Runs.of(sorted(extended))


def _common_prefix(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> int:
    """How many values the two begin with in common."""
    most = min(len(a), len(b))
    if most == 0 or a[0] != b[0]:
        return 0
    done, step = 0, 16  # blocks grow, so that a short prefix does not compare whole texts
    while done < most:
        stop = min(most, done + step)
        differ = np.flatnonzero(a[done:stop] != b[done:stop])
        if len(differ):
            return done + int(differ[0])
        done, step = stop, step * 4
    return most


def _without_chance_runs(runs: Runs) -> Runs:
    """Without short runs inside the stretch of a definite run, and, where there are many runs,
    without those that have no strong run near them.
    """
    keep = np.ones(len(runs.length), np.bool_)
    for place in np.flatnonzero(runs.length >= SETTINGS.definite).tolist():
        start, end = runs.asset_start[place], runs.asset_start[place] + runs.length[place]
        keep &= ~(
            (runs.length * 3 < runs.length[place])
            & (runs.asset_start >= start)
            & (runs.asset_start + runs.length <= end)
        )
    if int(keep.sum()) > SETTINGS.many:
        across = (runs.work_start - runs.asset_start) // SETTINGS.near
        along = runs.asset_start // SETTINGS.near
        strong = np.flatnonzero(keep & (runs.length >= SETTINGS.strong))
        near = np.zeros(len(keep), np.bool_)
        width = np.int64(1 << 31)  # a cell as one number
        cells = np.unique(across[strong] * width + along[strong])
        for side in (-1, 0, 1):
            for step in (-1, 0, 1):
                near |= np.isin((across + side) * width + along + step, cells)
        keep &= near
    return Runs(runs.asset_start[keep], runs.work_start[keep], runs.length[keep])


def _chained(runs: Runs, run_weights: NDArray[np.float64], max_gap: int) -> list[list[int]]:
    """Runs chained in order on both sides, best chains first, each run in one chain.

    Args:
        runs: sorted by asset start, then by work start.
        run_weights: float64 (n,), of each run.
        max_gap: words that may lie between two runs, on either side.

    Returns:
        Positions in `runs`, in order.
    """
    starts, work_starts = runs.asset_start.tolist(), runs.work_start.tolist()
    lengths, weights = runs.length.tolist(), run_weights.tolist()
    gap_cost, shift_cost = SETTINGS.gap_cost, SETTINGS.shift_cost
    count = len(starts)
    best_score: list[float] = list(weights)
    predecessor = [-1] * count
    # Runs are sorted by their start, so the ones that can precede a run come just before it, except
    # that a long run reaches far. Runs stay open until `max_gap` words beyond their end.
    open_runs: list[int] = []
    for run in range(count):
        start, work_start, length = starts[run], work_starts[run], lengths[run]
        open_runs = [k for k in open_runs if start - (starts[k] + lengths[k]) <= max_gap]
        for k in open_runs[-SETTINGS.look_back :]:
            gap = start - (starts[k] + lengths[k])
            work_gap = work_start - (work_starts[k] + lengths[k])
            if start <= starts[k] or work_start <= work_starts[k] or work_gap > max_gap:
                continue
            overlap = max(0, -gap, -work_gap)
            if overlap >= length:
                continue
            cost = gap_cost * max(gap, work_gap, 0) + shift_cost * abs(work_gap - gap)
            score = best_score[k] + weights[run] * (1 - overlap / length) - cost
            if score > best_score[run]:
                best_score[run], predecessor[run] = score, k
        open_runs.append(run)
    used = [False] * count
    chains = []
    for tail in sorted(range(count), key=lambda k: (-best_score[k], k)):
        chain = []
        run = tail
        while run >= 0 and not used[run]:
            used[run] = True
            chain.append(run)
            run = predecessor[run]
        if chain:
            chains.append(chain[::-1])
    return chains


def _filled(
    chain: Sequence[Piece],
    asset: NDArray[np.uint32],
    work: NDArray[np.uint32],
    weights: NDArray[np.float64],
) -> NDArray[np.int64]:
    """A chain's runs without their overlaps, with single words that agree in its gaps and at its
    ends: int64 (n, 3), as in `Chain`.
    """
    pieces: list[Piece] = []
    end = work_end = 0
    for run_start, run_work_start, length in chain:
        skip = max(0, end - run_start, work_end - run_work_start)
        if skip >= length:
            continue
        start, work_start = run_start + skip, run_work_start + skip
        if pieces:
            pieces += align_gap(asset, work, weights, (end, start), (work_end, work_start))
        pieces.append((start, work_start, length - skip))
        end, work_end = run_start + length, run_work_start + length
    first = pieces[0]
    pieces[:0] = align_end(asset, work, weights, first[0], first[1], forwards=False)
    pieces += align_end(asset, work, weights, end, work_end, forwards=True)
    merged: list[Piece] = []
    for piece in pieces:
        if merged:
            before = merged[-1]
            if (before[0] + before[2], before[1] + before[2]) == piece[:2]:
                merged[-1] = (before[0], before[1], before[2] + piece[2])
                continue
        merged.append(piece)
    return np.array(merged, np.int64)
