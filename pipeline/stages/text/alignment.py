"""Passages that two texts share, word by word.

Inside boxes that a search nominates, equal pairs of words are seeds. Seeds next to each other on
one diagonal are a run of words that agree; runs are chained over small gaps by dynamic programming
(as in MUMmer's clusters: Delcher et al. 1999; for text: Grozea et al. 2009, "encoplot"). Gaps and
ends of a chain are aligned word by word (Smith, Waterman 1981). Chains that lie together on both
sides, in whatever order, are one passage. Only hashes are needed, so a work whose text was not kept
is aligned as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.chaining import Runs, chained, extended, joined, near_strong, runs, seeds
from pipeline.stages.text.local_alignment import between, beyond

SEED_WORDS = 2
PAD = 40
"""Words around a box that are looked at as well."""
GROUP_GAP = 20
"""Words between two chains of one passage, on either side, at most."""
LONGEST_GAP = 60
"""The same between two long stretches: a paragraph that was put in or left out."""
GAP_SHARE = 0.25
"""Of the shorter stretch's agreeing words, what may lie between two stretches beyond that."""
LEAST_CHAIN = 2.5
"""Weight of agreeing words below which a chain is no part of anything."""
LEAST_RUNS = 1.5
"""Weight of a chain's runs below which single words around them are not looked for."""
SKIPPED = 0.35
"""What a word without a partner at the end of a passage costs."""
_NOWHERE = 1 << 62


class Box(NamedTuple):
    """Where to look: words of the asset and of the work, half open."""

    start: int
    end: int
    other_start: int
    other_end: int


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """A stretch of words shared by two texts, in words, half open.

    Attributes:
        start, end: in the asset.
        other_start, other_end: in the work.
        words: words of the asset's stretch that agree with words of the work's.
        longest: the longest run of such words without a break.
        weight: of the agreeing words, summed.
        runs: int64 (n, 3), in the asset's order: start in the asset, start in the work, length.
        chains: parts that stand in another order in the work, plus one.
    """

    start: int
    end: int
    other_start: int
    other_end: int
    words: int
    longest: int
    weight: float
    runs: NDArray[np.int64]
    chains: int

    @property
    def identity(self) -> float:
        """`words` over the longer stretch, in (0, 1]."""
        return self.words / max(self.end - self.start, self.other_end - self.other_start)

    @property
    def score(self) -> float:
        """`weight` times `identity`."""
        return self.weight * self.identity


class _Chain(NamedTuple):
    """Agreeing runs, int64 (n, 3), in order on both sides, with their weight."""

    runs: NDArray[np.int64]
    weight: float

    @property
    def start(self) -> int:
        return int(self.runs[0, 0])

    @property
    def end(self) -> int:
        return int(self.runs[-1, 0] + self.runs[-1, 2])

    @property
    def other_start(self) -> int:
        return int(self.runs[0, 1])

    @property
    def other_end(self) -> int:
        return int(self.runs[-1, 1] + self.runs[-1, 2])


def shared_passages(
    mine: NDArray[np.uint32],
    theirs: NDArray[np.uint32],
    boxes: Iterable[Box],
    weight: NDArray[np.float64],
    *,
    max_gap: int,
    min_words: int,
    min_score: float,
    min_identity: float,
) -> list[SharedPassage]:
    """Passages that two texts share, best score first, then by place.

    Args:
        mine, theirs: uint32, the words of the asset and of the work as hashes.
        boxes: where to look.
        weight: float64 (len(mine),), what each word counts if it agrees.
        max_gap: words that may differ between two runs of one chain, on either side.
        min_words: least `words` of a passage.
        min_score: least `score` of a passage.
        min_identity: least `identity` of a passage.
    """
    total = np.concatenate([[0.0], np.cumsum(weight)])
    chains = [
        chain
        for box in _apart(boxes, len(mine), len(theirs))
        for chain in _chains(mine, theirs, box, weight, total, max_gap)
    ]
    chains.sort(key=lambda c: (-c.weight, c.start, c.other_start))
    taken = np.zeros(len(mine), np.bool_)
    kept = []
    for chain in chains:
        # A repeat in the work of what another chain shows already is none of its own.
        if taken[chain.start : chain.end].mean() <= 0.5:
            taken[chain.start : chain.end] = True
            kept.append(chain)
    passages = []
    for group in _joined_groups(_groups(kept)):
        passage = _passage(_trimmed(group), total)
        several = [passage]
        if passage.identity < min_identity and len(group) > 1:
            several = [_passage([chain], total) for chain in group]
        passages += [
            one
            for one in several
            if one.words >= min_words and one.score >= min_score and one.identity >= min_identity
        ]
    return sorted(passages, key=lambda p: (-p.score, p.start, p.other_start))


def _apart(boxes: Iterable[Box], mine: int, theirs: int) -> list[Box]:
    """Boxes widened by `PAD`, those that overlap on both sides put together."""
    ordered = sorted(boxes)
    # A row for each box; one that was put into another can overlap nothing any more.
    found = np.empty((len(ordered), 4), np.int64)
    gone = (_NOWHERE, -_NOWHERE, _NOWHERE, -_NOWHERE)
    for count, box in enumerate(ordered):
        wide = Box(
            max(0, box.start - PAD),
            min(mine, box.end + PAD),
            max(0, box.other_start - PAD),
            min(theirs, box.other_end + PAD),
        )
        before = found[:count]
        while True:
            overlapping = (before[:, 0] < wide.end) & (wide.start < before[:, 1])
            overlapping &= (before[:, 2] < wide.other_end) & (wide.other_start < before[:, 3])
            places = np.flatnonzero(overlapping)
            if not len(places):
                break
            low, high = before[places].min(axis=0), before[places].max(axis=0)
            before[places] = gone
            wide = Box(
                min(wide.start, int(low[0])),
                max(wide.end, int(high[1])),
                min(wide.other_start, int(low[2])),
                max(wide.other_end, int(high[3])),
            )
        found[count] = wide
    return [Box(*row) for row in found[found[:, 0] < _NOWHERE].tolist()]


def _chains(
    mine: NDArray[np.uint32],
    theirs: NDArray[np.uint32],
    box: Box,
    weight: NDArray[np.float64],
    total: NDArray[np.float64],
    max_gap: int,
) -> list[_Chain]:
    i, j = seeds(_pairs(mine[box.start : box.end]), _pairs(theirs[box.other_start : box.other_end]))
    if not len(i):
        return []
    found = runs(i + box.start, j + box.other_start, SEED_WORDS)
    found = near_strong(extended(joined(found, mine, theirs, max_gap), mine, theirs))
    made = []
    heavy_runs = total[found.start + found.length] - total[found.start]
    for chain in chained(found, total, max_gap):
        if float(heavy_runs[chain].sum()) < LEAST_RUNS:
            continue
        agreeing = _filled(found, chain, mine, theirs, weight)
        heavy = float((total[agreeing[:, 0] + agreeing[:, 2]] - total[agreeing[:, 0]]).sum())
        if heavy >= LEAST_CHAIN:
            made.append(_Chain(agreeing, heavy))
    return made


def _pairs(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Each word with the next, as one number."""
    return (words[:-1].astype(np.uint64) << np.uint64(32)) | words[1:]


def _filled(
    found: Runs,
    chain: Sequence[int],
    mine: NDArray[np.uint32],
    theirs: NDArray[np.uint32],
    weight: NDArray[np.float64],
) -> NDArray[np.int64]:
    """A chain's runs without their overlaps, with single words that agree between and beyond."""
    pieces: list[tuple[int, int, int]] = []
    end = other_end = -1
    for place in chain:
        start, other, length = (
            int(found.start[place]), int(found.other[place]), int(found.length[place])
        )  # fmt: skip
        if end >= 0:
            skip = max(0, end - start, other_end - other)
            start, other, length = start + skip, other + skip, length - skip
            if length <= 0:
                continue
            pieces += between(mine, theirs, weight, (end, start), (other_end, other))
        pieces.append((start, other, length))
        end, other_end = start + length, other + length
    first = pieces[0]
    pieces[:0] = beyond(mine, theirs, weight, first[0], first[1], forwards=False)
    pieces += beyond(mine, theirs, weight, end, other_end, forwards=True)
    merged: list[tuple[int, int, int]] = []
    for piece in pieces:
        if merged:
            before = merged[-1]
            if (before[0] + before[2], before[1] + before[2]) == piece[:2]:
                merged[-1] = (before[0], before[1], before[2] + piece[2])
                continue
        merged.append(piece)
    return np.array(merged, np.int64)


def _groups(chains: Sequence[_Chain]) -> list[list[_Chain]]:
    """Chains parted wherever, on one side or the other, more than `GROUP_GAP` words lie between.

    A passage whose sentences were put in another order is whole on both sides, and stays one.
    """
    done: list[list[_Chain]] = []
    left = [list(chains)] if chains else []
    while left:
        group = left.pop()
        parts = _parted(group, other=False)
        if len(parts) == 1:
            parts = _parted(group, other=True)
        if len(parts) == 1:
            done.append(group)
        else:
            left += parts
    return sorted(done, key=lambda g: min(chain.start for chain in g))


def _parted(group: Sequence[_Chain], *, other: bool) -> list[list[_Chain]]:
    spans = [(c.other_start, c.other_end) if other else (c.start, c.end) for c in group]
    parts: list[list[_Chain]] = []
    reach = 0
    for place in sorted(range(len(group)), key=lambda k: spans[k]):
        start, end = spans[place]
        if not parts or start - reach > GROUP_GAP:
            parts.append([])
            reach = end
        parts[-1].append(group[place])
        reach = max(reach, end)
    return parts


def _joined_groups(groups: Sequence[list[_Chain]]) -> list[list[_Chain]]:
    """Long stretches one after the other on both sides put together over a longer gap."""
    joined_up: list[list[_Chain]] = []
    for group in groups:
        if joined_up and _go_together(joined_up[-1], group):
            joined_up[-1] = [*joined_up[-1], *group]
        else:
            joined_up.append(group)
    return joined_up


def _go_together(one: Sequence[_Chain], two: Sequence[_Chain]) -> bool:
    words = min(sum(int(c.runs[:, 2].sum()) for c in group) for group in (one, two))
    most = min(LONGEST_GAP, max(GROUP_GAP, GAP_SHARE * words))
    gap = min(c.start for c in two) - max(c.end for c in one)
    other_gap = min(c.other_start for c in two) - max(c.other_end for c in one)
    return abs(gap) <= most and abs(other_gap) <= most


def _trimmed(group: list[_Chain]) -> list[_Chain]:
    """A group without chains at its ends that cost more words than they bring."""
    kept = sorted(group, key=lambda c: (c.start, c.other_start))
    while len(kept) > 1:
        bounds = _bounds(kept)
        worst, gain = None, 0.0
        # A chain that no bound rests on saves nothing.
        for place in sorted(
            {
                min(range(len(kept)), key=lambda k: kept[k].start),
                max(range(len(kept)), key=lambda k: kept[k].end),
                min(range(len(kept)), key=lambda k: kept[k].other_start),
                max(range(len(kept)), key=lambda k: kept[k].other_end),
            }
        ):
            rest = kept[:place] + kept[place + 1 :]
            inner = _bounds(rest)
            saved = max(
                bounds.end - bounds.start - (inner.end - inner.start),
                bounds.other_end - bounds.other_start - (inner.other_end - inner.other_start),
            )
            chain = kept[place]
            words = int(chain.runs[:, 2].sum())
            this = SKIPPED * (saved - words) - chain.weight
            if saved and this > gain:
                worst, gain = place, this
        if worst is None:
            break
        del kept[worst]
    return kept


def _bounds(chains: Sequence[_Chain]) -> Box:
    return Box(
        min(c.start for c in chains),
        max(c.end for c in chains),
        min(c.other_start for c in chains),
        max(c.other_end for c in chains),
    )


def _passage(group: Sequence[_Chain], total: NDArray[np.float64]) -> SharedPassage:
    ordered = np.concatenate([chain.runs for chain in sorted(group, key=lambda c: c.start)])
    ordered = ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))]
    # Where two chains overlap in the asset, a word counts once, for the one that begins first.
    pieces: list[tuple[int, int, int]] = []
    reach = 0
    for start, other, length in ordered.tolist():
        skip = max(0, reach - start)
        if skip < length:
            pieces.append((start + skip, other + skip, length - skip))
            reach = start + length
    runs_ = np.array(pieces, np.int64)
    starts, others, lengths = runs_.T
    bounds = Box(
        int(starts[0]),
        int((starts + lengths).max()),
        int(others.min()),
        int((others + lengths).max()),
    )
    return SharedPassage(
        *bounds,
        words=int(lengths.sum()),
        longest=int(lengths.max()),
        weight=float((total[starts + lengths] - total[starts]).sum()),
        runs=runs_,
        chains=1 + int((np.diff(others) < 0).sum()),
    )
