"""Precision, recall, granularity and PlagDet of reported passages, over characters.

As Potthast, Stein, Barrón-Cedeño and Rosso define them (An Evaluation Framework for Plagiarism
Detection, COLING 2010). A case (a planted passage) or a detection (a reported one) is a span of a
script and a span of a work, taken together as a set of characters of both. A detection counts for a
case only if it overlaps it on both sides. With S the cases, R the detections and s ⊓ r = s ∩ r if r
overlaps s on both sides, else empty:

    macro precision = 1/|R| Σ_r |∪_s (s ⊓ r)| / |r|     macro recall = 1/|S| Σ_s |∪_r (s ⊓ r)| / |s|
    micro precision = |∪ (s ⊓ r)| / |∪ r|                micro recall = |∪ (s ⊓ r)| / |∪ s|
    granularity = mean number of detections that overlap a case, over the cases detected at all
    PlagDet = F1(precision, recall) / log2(1 + granularity)

A worked example, spans in characters. Two cases in one script, each of 100 + 100 characters:

    case 1       script 0-100,   work 0-100      detected in two parts
    case 2       script 300-400, work 500-600    not detected
    detection 1  script 0-50,    work 0-50       100 characters, all of them in case 1
    detection 2  script 60-110,  work 60-110     100 characters, 80 of them in case 1

    macro precision  (100/100 + 80/100) / 2 = 0.9       macro recall  (180/200 + 0/200) / 2 = 0.45
    micro precision  180 / 200 = 0.9                    micro recall  180 / 400 = 0.45
    granularity      2 detections / 1 detected case = 2
    PlagDet          F1(0.9, 0.45) / log2(1 + 2) = 0.6 / 1.585 = 0.379
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A span of a script and a span of a work: a planted passage, or a reported one.

    Attributes:
        script, work: names of the two texts.
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

    def overlaps(self, other: Pair) -> bool:
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
        granularity: mean number of detections of a detected case; 1 is best.
        cases, met, detections: counts; `met` are the cases that any detection overlaps.
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


def covered(spans: Iterable[Interval]) -> int:
    """Number of characters in the union of the spans."""
    total, reach = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total


def _common(one: Pair, other: Pair) -> tuple[Interval, Interval]:
    return (
        (max(one.start, other.start), min(one.end, other.end)),
        (max(one.work_start, other.work_start), min(one.work_end, other.work_end)),
    )


def _share(one: Pair, others: Sequence[Pair]) -> float:
    """|∪ (one ⊓ others)| / |one|, all of `others` known to overlap it."""
    both = [_common(one, other) for other in others]
    return (covered(a for a, _ in both) + covered(b for _, b in both)) / one.size


class _Characters:
    """A set of characters of texts: the union of the spans added."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], list[Interval]] = defaultdict(list)

    def add(self, pair: Pair, in_script: Interval, in_work: Interval) -> None:
        self._of["script", pair.script].append(in_script)
        self._of["work", pair.work].append(in_work)

    def __len__(self) -> int:
        return sum(covered(spans) for spans in self._of.values())


def _union(pairs: Iterable[Pair]) -> _Characters:
    characters = _Characters()
    for one in pairs:
        characters.add(one, (one.start, one.end), (one.work_start, one.work_end))
    return characters


def measure(cases: Sequence[Pair], detections: Sequence[Pair]) -> PlagDet:
    """The measures of `detections` against `cases`; no span may be empty.

    Without cases recall is 1. Without detections precision is 1 if there are no cases either, else
    0. Granularity is 1 if no case is detected.

    Raises:
        ValueError: if a span is empty or ends before it starts.
    """
    for pair in (*cases, *detections):
        if pair.start >= pair.end or pair.work_start >= pair.work_end:
            raise ValueError(f"an empty span: {pair}")
    by_texts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, detection in enumerate(detections):
        by_texts[detection.script, detection.work].append(number)
    of_case: list[list[Pair]] = []
    of_detection: list[list[Pair]] = [[] for _ in detections]
    common = _Characters()
    for case in cases:
        numbers = [n for n in by_texts[case.script, case.work] if detections[n].overlaps(case)]
        of_case.append([detections[number] for number in numbers])
        for number in numbers:
            of_detection[number].append(case)
            common.add(case, *_common(case, detections[number]))
    met = [len(overlapping) for overlapping in of_case if overlapping]
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
