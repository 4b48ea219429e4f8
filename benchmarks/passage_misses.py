"""What the passage benchmark missed or reported falsely, laid out for reading; and every fate."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.passage_figures import Fate, false_reports
from benchmarks.passage_screening import Case, Screened
from benchmarks.plagdet import Pair

MOST_SHOWN = 200
EXCERPT = 700
AROUND = 80

COLUMNS = (
    "script", "way", "length", "piece", "script_start", "script_end", "work", "work_title",
    "work_start", "work_end", "found", "share_covered", "share_together", "reports", "obfuscation",
    "band",
)  # fmt: skip


def write_fates(fates: Sequence[Fate], file: Path) -> None:
    """A CSV with a row for every piece of every planted passage."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for fate in fates:
            case = fate.case
            for number, pair in enumerate(case.pairs):
                meeting = sum(one.overlaps(pair) for one in fate.reports)
                writer.writerow([
                    case.file, case.script.way, case.script.length, number, pair.start, pair.end,
                    pair.work, case.planted.work.file.stem, pair.work_start, pair.work_end,
                    str(fate.found).lower(), f"{fate.share:.4f}", f"{fate.together:.4f}",
                    meeting, fate.obfuscation,
                    fate.band,
                ])  # fmt: skip


def write_misses(fates: Sequence[Fate], answer: Screened, file: Path) -> int:
    """Every passage that was not found, the longest first; how many there are."""
    missed = sorted(
        (fate for fate in fates if not fate.found),
        key=lambda fate: (-fate.case.script.length, fate.case.script.way, fate.case.file),
    )
    parts = [f"# Missed passages: {len(missed)} of {len(fates)}"]
    for fate in missed[:MOST_SHOWN]:
        case = fate.case
        text, first = answer.texts[case.file], case.pairs[0]
        reported = [f"- {_where(one)}" for one in fate.reports] or ["- nothing"]
        parts += [
            f"## {case.script.way}, {case.script.length} words: {case.file}, "
            f"{fate.share:.0%} covered, band {fate.band}",
            f"In the script, {first.start}–{case.pairs[-1].end}:",
            _quoted(text, first.start, first.end),
            f"In {case.planted.work.file.stem}, {first.work_start}–{first.work_end}:",
            _quoted(case.planted.work.text, first.work_start, first.work_end),
            "Reported of it:",
            "\n".join(reported),
        ]
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return len(missed)


def write_false(
    cases: Sequence[Case], drops: Sequence[Screened], works: Mapping[str, str], file: Path
) -> int:
    """Every report that meets no planted passage, with both sides; how many there are.

    Args:
        drops: the scripts with passages, and the clean ones.
        works: the registered texts by the names of their files.
    """
    parts = []
    total = 0
    for drop in drops:
        false = false_reports(cases, [finding.pair for finding in drop.findings])
        total += len(false)
        for one in false:
            parts += [
                f"## {_where(one)}",
                "In the script:",
                _quoted(drop.texts[one.script], one.start, one.end),
                "In the work:",
                _quoted(works[one.work], one.work_start, one.work_end),
            ]
    head = f"# Reports of what was not planted: {total}"
    file.write_text("\n\n".join([head, *parts[: 5 * MOST_SHOWN]]) + "\n", encoding="utf-8")
    return total


def _where(pair: Pair) -> str:
    return f"{pair.script} {pair.start}–{pair.end}, {pair.work} {pair.work_start}–{pair.work_end}"


def _quoted(text: str, start: int, end: int) -> str:
    """The stretch as a block of code, its middle left out if it is long, and the text around it."""
    quoted = text[start:end]
    if len(quoted) > EXCERPT:
        quoted = f"{quoted[: EXCERPT // 2]}\n[…]\n{quoted[-EXCERPT // 2 :]}"
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return f"```text\n{before}⟦{quoted}⟧{after}\n```"
