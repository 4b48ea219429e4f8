"""Precision, recall, granularity and PlagDet of reported passages, over characters.

As Potthast, Stein, Barrón-Cedeño and Rosso define them (An Evaluation Framework for Plagiarism
Detection, COLING 2010). A case or a detection is a stretch of a script and a stretch of a work,
taken together as a set of characters of both. A detection counts for a case only if it meets it on
both sides. With S the cases, R the detections and s ⊓ r = s ∩ r if r meets s on both sides, else
nothing:

    macro precision = 1/|R| Σ_r |∪_s (s ⊓ r)| / |r|     macro recall = 1/|S| Σ_s |∪_r (s ⊓ r)| / |s|
    micro precision = |∪ (s ⊓ r)| / |∪ r|                micro recall = |∪ (s ⊓ r)| / |∪ s|
    granularity = mean number of detections that meet a case, over the cases that are met at all
    PlagDet = F1(precision, recall) / log2(1 + granularity)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A stretch of a script beside a stretch of a work: a planted passage, or a reported one.

    Attributes:
        script, work: which two texts.
        start, end: in the script, in characters, half open.
        work_start, work_end: in the work.
    """

    script: str
    start: int
    end: int
    work: str
    work_start: int
    work_end: int

    @property
    def size(self) -> int:
        """Characters of both sides."""
        return self.end - self.start + self.work_end - self.work_start

    def meets(self, other: Pair) -> bool:
        """Whether the two share a character in the script and one in the work."""
        return (
            self.script == other.script
            and self.work == other.work
            and max(self.start, other.start) < min(self.end, other.end)
            and max(self.work_start, other.work_start) < min(self.work_end, other.work_end)
        )


@dataclass(frozen=True, slots=True)
class PlagDet:
    """The measures of some detections against some cases.

    Attributes:
        precision, recall: macro averages: each detection, and each case, counts the same.
        micro_precision, micro_recall: over all characters together.
        granularity: 1 if every case that was met was met by one detection.
        cases, met, detections: counts.
    """

    precision: float
    recall: float
    micro_precision: float
    micro_recall: float
    granularity: float
    cases: int
    met: int
    detections: int

    @property
    def score(self) -> float:
        """PlagDet of the macro averages, which is what the PAN competitions ranked by."""
        return plagdet(self.precision, self.recall, self.granularity)

    @property
    def micro_score(self) -> float:
        """PlagDet of the micro averages."""
        return plagdet(self.micro_precision, self.micro_recall, self.granularity)


def plagdet(precision: float, recall: float, granularity: float) -> float:
    """The harmonic mean of precision and recall, over log2(1 + granularity)."""
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall) / log2(1 + granularity)


def covered(stretches: Iterable[Interval]) -> int:
    """Characters in the union of the stretches."""
    total, reach = 0, 0
    for start, end in sorted(stretches):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total


def _common(one: Pair, other: Pair) -> tuple[Interval, Interval]:
    return (
        (max(one.start, other.start), min(one.end, other.end)),
        (max(one.work_start, other.work_start), min(one.work_end, other.work_end)),
    )


def _share(one: Pair, others: Sequence[Pair]) -> float:
    """|∪ (one ⊓ others)| / |one|, all of `others` known to meet it."""
    both = [_common(one, other) for other in others]
    return (covered(a for a, _ in both) + covered(b for _, b in both)) / one.size


class _Characters:
    """A set of characters of texts: the union of what is put in."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], list[Interval]] = defaultdict(list)

    def add(self, pair: Pair, mine: Interval, theirs: Interval) -> None:
        self._of["script", pair.script].append(mine)
        self._of["work", pair.work].append(theirs)

    def __len__(self) -> int:
        return sum(covered(stretches) for stretches in self._of.values())


def _union(pairs: Iterable[Pair]) -> _Characters:
    found = _Characters()
    for one in pairs:
        found.add(one, (one.start, one.end), (one.work_start, one.work_end))
    return found


def measured(cases: Sequence[Pair], detections: Sequence[Pair]) -> PlagDet:
    """The measures of `detections` against `cases`; no stretch may be empty.

    Without cases recall is 1, without detections precision is 1 if there are no cases and else 0:
    nothing reported of something is worth nothing. Granularity is 1 where no case is met.

    Raises:
        ValueError: if a stretch is empty or ends before it starts.
    """
    for pair in (*cases, *detections):
        if pair.start >= pair.end or pair.work_start >= pair.work_end:
            raise ValueError(f"an empty stretch: {pair}")
    by_texts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, found in enumerate(detections):
        by_texts[found.script, found.work].append(place)
    of_case: list[list[Pair]] = []
    of_detection: list[list[Pair]] = [[] for _ in detections]
    common = _Characters()
    for case in cases:
        these = [p for p in by_texts[case.script, case.work] if detections[p].meets(case)]
        of_case.append([detections[place] for place in these])
        for place in these:
            of_detection[place].append(case)
            common.add(case, *_common(case, detections[place]))
    met = [len(these) for these in of_case if these]
    shared, every_case, every_detection = len(common), len(_union(cases)), len(_union(detections))
    nothing = 0.0 if cases else 1.0
    return PlagDet(
        precision=_mean([_share(*one) for one in zip(detections, of_detection, strict=True)])
        if detections
        else nothing,
        recall=_mean([_share(*one) for one in zip(cases, of_case, strict=True)]) if cases else 1.0,
        micro_precision=shared / every_detection if detections else nothing,
        micro_recall=shared / every_case if cases else 1.0,
        granularity=_mean([float(count) for count in met]) if met else 1.0,
        cases=len(cases),
        met=len(met),
        detections=len(detections),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
