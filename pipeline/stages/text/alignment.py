"""Passages that two texts share, aligned word by word.

Candidate boxes that overlap are merged; each is searched for chains of agreeing runs (`chaining`).
Chains that are close on both sides, in any order, are one passage. Only hashes of words are
needed, so a work whose text is not kept is aligned as well.

A worked example goes on from the chain of the one in `chaining`, with the limits `min_words` 5,
`min_score` 5.0 and `min_identity` 0.4:

    chain      runs [[0, 0, 4], [5, 5, 3]], weight 7.0
    passage    asset words 0 to 8, work words 0 to 8 (half open)
               words     4 + 3 = 7
               longest   4
               identity  7 agreeing words of 8 = 0.875
               score     7.0 * 0.875 = 6.125, so it is reported

A second chain, of weight 9, is part of this passage if at most 20 words are between the two in both
texts; a chain lighter than 0.35 * 20 = 7 is not, since it adds 20 words without a partner. With 21
words between them the two are two passages, unless both have 84 agreeing words or more, a quarter
of which is 21.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.text.chaining import Box, Chain, chains_of, weight_of

_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class GroupingSettings:
    """Constants by which boxes are widened and chains become passages. All in words but the shares.

    Attributes:
        pad: words around a box that are searched as well, for what agrees there and is no
            candidate: single words, and k-grams too frequent to be looked up.
        group_gap: words between two chains of one passage, on either side, at most: about a
            sentence.
        long_gap: the same between two long stretches: a paragraph put in or left out.
        long_gap_share: beyond `group_gap`, the gap may be this share of the agreeing words of the
            shorter stretch, so that only long stretches are joined over a long gap.
        end_cost: what each word without a partner costs that a chain adds to the end of a passage;
            a chain at an end that costs more than its weight is left out.
        repeated: share of a chain's stretch of the asset, covered by heavier chains, above which it
            is left out: it is a repeat in the work of what those show already.
    """

    pad: int = 40
    group_gap: int = 20
    long_gap: int = 60
    long_gap_share: float = 0.25
    end_cost: float = 0.35
    repeated: float = 0.5


SETTINGS = GroupingSettings()


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """What a passage must have.

    Attributes:
        max_gap: words that may differ between two runs of one chain, on either side.
        min_words: least `words` of a passage.
        min_score: least `score` of a passage.
        min_identity: least `identity` of a passage.
    """

    max_gap: int
    min_words: int
    min_score: float
    min_identity: float

    def allow(self, passage: SharedPassage) -> bool:
        """Whether a passage reaches all of them."""
        return (
            passage.words >= self.min_words
            and passage.score >= self.min_score
            and passage.identity >= self.min_identity
        )


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """A stretch of words shared by two texts, in words, half open.

    Attributes:
        asset_start, asset_end: in the asset.
        work_start, work_end: in the work.
        words: words of the asset's stretch that agree with words of the work's.
        longest: the longest run of such words without a break.
        weight: of the agreeing words, summed.
        runs: int64 (n, 3), in the asset's order: start in the asset, start in the work, length.
        chains: how many pieces of the asset's stretch are in another order in the work, plus one.
    """

    asset_start: int
    asset_end: int
    work_start: int
    work_end: int
    words: int
    longest: int
    weight: float
    runs: NDArray[np.int64]
    chains: int

    @property
    def identity(self) -> float:
        """`words` over the longer stretch, in (0, 1]."""
        longer = max(self.asset_end - self.asset_start, self.work_end - self.work_start)
        return self.words / longer

    @property
    def score(self) -> float:
        """`weight` times `identity`, in words."""
        return self.weight * self.identity


def shared_passages(
    asset: NDArray[np.uint32],
    work: NDArray[np.uint32],
    boxes: Iterable[Box],
    weights: NDArray[np.float64],
    limits: PassageLimits,
) -> list[SharedPassage]:
    """Passages that two texts share, best score first, then by position.

    Args:
        asset, work: uint32 (n,) and (m,), hashes of the words of both texts.
        boxes: where to look.
        weights: float64 (n,), what each word of the asset counts if it agrees.
        limits: of the passages.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(weights)])
    chains = [
        chain
        for box in _merged_boxes(boxes, len(asset), len(work))
        for chain in chains_of(asset, work, box, weights, cumulative, limits.max_gap)
    ]
    passages = []
    for group in _joined_groups(_groups(_without_repeats(chains, len(asset)))):
        passage = _passage(_trimmed(group), cumulative)
        parts = [passage]
        if passage.identity < limits.min_identity and len(group) > 1:
            parts = [_passage([chain], cumulative) for chain in group]
        passages += [part for part in parts if limits.allow(part)]
    return sorted(passages, key=lambda p: (-p.score, p.asset_start, p.work_start))


def _merged_boxes(boxes: Iterable[Box], asset_words: int, work_words: int) -> list[Box]:
    """Boxes widened by `pad`; boxes that then overlap on both sides are merged."""
    ordered = sorted(boxes)
    # A row for each box. A box merged into another becomes a row that overlaps nothing.
    merged = np.empty((len(ordered), 4), np.int64)
    empty = (_FAR, -_FAR, _FAR, -_FAR)
    pad = SETTINGS.pad
    for count, box in enumerate(ordered):
        wide = Box(
            max(0, box.asset_start - pad),
            min(asset_words, box.asset_end + pad),
            max(0, box.work_start - pad),
            min(work_words, box.work_end + pad),
        )
        before = merged[:count]
        while True:
            overlapping = (before[:, 0] < wide.asset_end) & (wide.asset_start < before[:, 1])
            overlapping &= (before[:, 2] < wide.work_end) & (wide.work_start < before[:, 3])
            rows = np.flatnonzero(overlapping)
            if not len(rows):
                break
            low, high = before[rows].min(axis=0), before[rows].max(axis=0)
            before[rows] = empty
            wide = Box(
                min(wide.asset_start, int(low[0])),
                max(wide.asset_end, int(high[1])),
                min(wide.work_start, int(low[2])),
                max(wide.work_end, int(high[3])),
            )
        merged[count] = wide
    return [Box(*row) for row in merged[merged[:, 0] < _FAR].tolist()]


def _without_repeats(chains: Iterable[Chain], asset_words: int) -> list[Chain]:
    """Chains, heaviest first, without those whose stretch of the asset heavier ones cover."""
    covered = np.zeros(asset_words, np.bool_)
    distinct = []
    for chain in sorted(chains, key=lambda c: (-c.weight, c.box.asset_start, c.box.work_start)):
        stretch = slice(chain.box.asset_start, chain.box.asset_end)
        if covered[stretch].mean() <= SETTINGS.repeated:
            covered[stretch] = True
            distinct.append(chain)
    return distinct


def _groups(chains: Sequence[Chain]) -> list[list[Chain]]:
    """Chains split wherever more than `group_gap` words are between them, on either side.

    A passage whose sentences were put in another order has no such gap on either side, so it stays
    one group.
    """
    groups: list[list[Chain]] = []
    to_split = [list(chains)] if chains else []
    while to_split:
        group = to_split.pop()
        parts = _split_at_gaps(group, by_work=False)
        if len(parts) == 1:
            parts = _split_at_gaps(group, by_work=True)
        if len(parts) == 1:
            groups.append(group)
        else:
            to_split += parts
    return sorted(groups, key=lambda group: min(chain.box.asset_start for chain in group))


def _split_at_gaps(group: Sequence[Chain], *, by_work: bool) -> list[list[Chain]]:
    boxes = [chain.box for chain in group]
    spans = [(b.work_start, b.work_end) if by_work else (b.asset_start, b.asset_end) for b in boxes]
    parts: list[list[Chain]] = []
    reach = 0
    for place in sorted(range(len(group)), key=lambda k: spans[k]):
        start, end = spans[place]
        if not parts or start - reach > SETTINGS.group_gap:
            parts.append([])
            reach = end
        parts[-1].append(group[place])
        reach = max(reach, end)
    return parts


def _joined_groups(groups: Sequence[list[Chain]]) -> list[list[Chain]]:
    """Long stretches that follow one another on both sides, joined over a longer gap."""
    joined: list[list[Chain]] = []
    for group in groups:
        if joined and _within_long_gap(joined[-1], group):
            joined[-1] = [*joined[-1], *group]
        else:
            joined.append(group)
    return joined


def _within_long_gap(first: Sequence[Chain], second: Sequence[Chain]) -> bool:
    words = min(sum(chain.words for chain in group) for group in (first, second))
    share = SETTINGS.long_gap_share * words
    most = min(SETTINGS.long_gap, max(SETTINGS.group_gap, share))
    before, after = (_bounds([chain.box for chain in group]) for group in (first, second))
    gap = after.asset_start - before.asset_end
    work_gap = after.work_start - before.work_end
    return abs(gap) <= most and abs(work_gap) <= most


def _trimmed(group: Sequence[Chain]) -> list[Chain]:
    """A group without chains at its ends that cost more words than they bring."""
    chains = sorted(group, key=lambda c: (c.box.asset_start, c.box.work_start))
    boxes = [chain.box for chain in chains]
    while len(chains) > 1:
        bounds = _bounds(boxes)
        places = range(len(chains))
        worst, greatest_gain = None, 0.0
        # Only leaving out a chain that touches a bound makes the passage shorter.
        for place in sorted(
            {
                min(places, key=lambda k: boxes[k].asset_start),
                max(places, key=lambda k: boxes[k].asset_end),
                min(places, key=lambda k: boxes[k].work_start),
                max(places, key=lambda k: boxes[k].work_end),
            }
        ):
            inner = _bounds(boxes[:place] + boxes[place + 1 :])
            saved = max(
                bounds.asset_end - bounds.asset_start - (inner.asset_end - inner.asset_start),
                bounds.work_end - bounds.work_start - (inner.work_end - inner.work_start),
            )
            chain = chains[place]
            gain = SETTINGS.end_cost * (saved - chain.words) - chain.weight
            if saved and gain > greatest_gain:
                worst, greatest_gain = place, gain
        if worst is None:
            break
        del chains[worst], boxes[worst]
    return chains


def _bounds(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all boxes."""
    return Box(
        min(box.asset_start for box in boxes),
        max(box.asset_end for box in boxes),
        min(box.work_start for box in boxes),
        max(box.work_end for box in boxes),
    )


def _passage(group: Sequence[Chain], cumulative: NDArray[np.float64]) -> SharedPassage:
    ordered = np.concatenate([c.runs for c in sorted(group, key=lambda c: c.box.asset_start)])
    ordered = ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))]
    # Where two chains overlap in the asset, a word counts once, for the one that begins first.
    pieces: list[tuple[int, int, int]] = []
    reach = 0
    for start, work_start, length in ordered.tolist():
        skip = max(0, reach - start)
        if skip < length:
            pieces.append((start + skip, work_start + skip, length - skip))
            reach = start + length
    runs = np.array(pieces, np.int64)
    starts, work_starts, lengths = runs.T
    return SharedPassage(
        asset_start=int(starts[0]),
        asset_end=int((starts + lengths).max()),
        work_start=int(work_starts.min()),
        work_end=int((work_starts + lengths).max()),
        words=int(lengths.sum()),
        longest=int(lengths.max()),
        weight=float(weight_of(starts, lengths, cumulative).sum()),
        runs=runs,
        chains=1 + int((np.diff(work_starts) < 0).sum()),
    )
