"""Figures of the passage benchmark: PlagDet, what was found and what is false, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.passage_planting import WAYS
from benchmarks.passage_screening import FLAGGED, Case, Finding, Screened
from benchmarks.plagdet import Pair, PlagDet, covered, measure

PAGE_WORDS = 250
COVERED = 0.5
"""Share of a passage that must be reported for it to be found."""

_CHARACTERS = ("look-alike letters", "fullwidth letters", "invisible characters")
GROUPS: dict[str, Callable[[str, int], bool]] = {
    "15 words, verbatim": lambda way, length: way == "verbatim" and length == 15,
    "40 words and up, verbatim": lambda way, length: way == "verbatim" and length >= 40,
    "40 words and up, re-flowed or hyphenated": lambda way, length: (
        way in ("re-flowed", "line-end hyphens") and length >= 40
    ),
    "40 words and up, names swapped": lambda way, length: way == "names swapped" and length >= 40,
    "40 words and up, disguised characters": lambda way, length: (
        way in _CHARACTERS and length >= 40
    ),
    "40 words and up, in other formats": lambda way, length: way[:3] == "as " and length >= 40,
    "80 words and up, 20 % edited": lambda way, length: way == "20 % edited" and length >= 80,
    "200 words and up, 30 % edited": lambda way, length: way == "30 % edited" and length >= 200,
}
"""Parts of the set that are worth a line of their own."""


@dataclass(frozen=True)
class Fate:
    """What became of one planted passage.

    Attributes:
        case: the passage.
        share: of its characters in the script, the most that one report of its work covers; of a
            passage of several pieces, what all reports of its work cover together.
        together: of its characters, what all reports of its work cover together.
        reports: reported passages that meet it on both sides.
        obfuscation: what was reported of disguised characters.
        band: of the script's row.
    """

    case: Case
    share: float
    together: float
    reports: tuple[Pair, ...]
    obfuscation: str
    band: str

    @property
    def found(self) -> bool:
        """Whether at least half of it was reported."""
        return self.share >= COVERED


def shares_covered(case: Case, reports: Iterable[Pair]) -> tuple[float, float]:
    """As `Fate.share` and `Fate.together`, of any reports."""
    size = sum(pair.end - pair.start for pair in case.pairs)
    common = [
        (max(pair.start, one.start), min(pair.end, one.end))
        for one in reports
        for pair in case.pairs
        if one.script == pair.script and one.work == pair.work
    ]
    common = [stretch for stretch in common if stretch[0] < stretch[1]]
    together = covered(common) / size
    if len(case.pairs) > 1:
        return together, together
    return max((end - start for start, end in common), default=0) / size, together


def fates_of(cases: Sequence[Case], answer: Screened) -> list[Fate]:
    """What became of each case in Clearance's answer."""
    by_script: dict[str, list[Finding]] = {}
    for finding in answer.findings:
        by_script.setdefault(finding.pair.script, []).append(finding)
    fates = []
    for case in cases:
        findings = by_script.get(case.file, [])
        meeting = [f for f in findings if any(f.pair.overlaps(pair) for pair in case.pairs)]
        obfuscation = "; ".join(sorted({f.obfuscation for f in meeting if f.obfuscation}))
        fates.append(
            Fate(
                case,
                *shares_covered(case, (f.pair for f in findings)),
                tuple(f.pair for f in meeting),
                obfuscation or (answer.obfuscation.get(case.file, "") if meeting else ""),
                answer.bands.get(case.file, ""),
            )
        )
    return fates


def _part(
    cases: Sequence[Case], reports: Sequence[Pair], chosen: Callable[[str, int], bool]
) -> tuple[list[Case], list[Pair]]:
    """The cases of some scripts, and all that was reported in those scripts."""
    part = [case for case in cases if chosen(case.script.way, case.script.length)]
    files = {case.file for case in part}
    return part, [pair for pair in reports if pair.script in files]


def line_of(cases: Sequence[Case], reports: Sequence[Pair]) -> dict[str, Any]:
    """PlagDet with its parts, and how many passages were found."""
    score: PlagDet = measure([pair for case in cases for pair in case.pairs], reports)
    by_script: dict[str, list[Pair]] = {}
    for pair in reports:
        by_script.setdefault(pair.script, []).append(pair)
    passages_found = sum(
        shares_covered(case, by_script.get(case.file, ()))[0] >= COVERED for case in cases
    )
    return asdict(score) | {
        "plagdet": score.score,
        "micro_plagdet": score.micro_score,
        "passages": len(cases),
        "found": passages_found,
    }


def lines(cases: Sequence[Case], reports: Sequence[Pair]) -> dict[str, dict[str, dict[str, Any]]]:
    """A line for each way, each length, each of `GROUPS`, and found by way and length."""
    ways = [way for way in WAYS if any(case.script.way == way for case in cases)]
    lengths = sorted({case.script.length for case in cases})

    def line(chosen: Callable[[str, int], bool]) -> dict[str, Any]:
        return line_of(*_part(cases, reports, chosen))

    return {
        "ways": {way: line(lambda w, _l, way=way: bool(w == way)) for way in ways},  # type: ignore[misc]
        "lengths": {
            str(length): line(lambda _w, n, length=length: bool(n == length))  # type: ignore[misc]
            for length in lengths
        },
        "groups": {
            name: line(chosen)
            for name, chosen in GROUPS.items()
            if any(chosen(case.script.way, case.script.length) for case in cases)
        },
        "cells": {
            way: {
                str(length): line_of(*cell)
                for length in lengths
                if (cell := _part(cases, reports, lambda w, n: (w, n) == (way, length)))[0]  # noqa: B023
            }
            for way in ways
        },
    }


def false_reports(cases: Sequence[Case], reports: Sequence[Pair]) -> list[Pair]:
    """Reports that meet no planted passage."""
    true = [pair for case in cases for pair in case.pairs]
    return [one for one in reports if not any(one.overlaps(pair) for pair in true)]


def clean_line(words: int, scripts: Sequence[str], reports: Sequence[Pair]) -> dict[str, Any]:
    """What was reported of scripts without planted passages, which have `words` words."""
    pages = words / PAGE_WORDS
    return {
        "scripts": len(scripts),
        "words": words,
        "scripts_with_a_report": len({pair.script for pair in reports}),
        "reports": len(reports),
        "per_100_pages": 100 * len(reports) / pages if pages else float("nan"),
    }


def bands_of(clean: Screened) -> dict[str, int]:
    """Rows of clean scripts by band, and how many of them are above `info`."""
    counts = Counter(clean.bands.values())
    return dict(sorted(counts.items())) | {"flagged": sum(counts[band] for band in FLAGGED)}


def bands_by_length(fates: Sequence[Fate]) -> dict[str, dict[str, int]]:
    """Scripts with passages by band, for each length of their passages."""
    scripts = {fate.case.file: (fate.case.script.length, fate.band) for fate in fates}
    by_length: dict[str, dict[str, int]] = {}
    for length, band in sorted(scripts.values()):
        counts = by_length.setdefault(str(length), {})
        counts[band] = counts.get(band, 0) + 1
    return by_length


def obfuscation_lines(fates: Sequence[Fate]) -> dict[str, dict[str, int]]:
    """By way: passages, those found, and those whose disguised characters were reported."""
    by_way: dict[str, dict[str, int]] = {}
    for fate in fates:
        one = by_way.setdefault(fate.case.script.way, {"passages": 0, "found": 0, "reported": 0})
        one["passages"] += 1
        one["found"] += fate.found
        one["reported"] += bool(fate.obfuscation)
    return {way: by_way[way] for way in WAYS if way in by_way}
