"""report.html: a self-contained page of a run.

The page makes no network request, which its content security policy also forbids, and has no
script. Names and texts of assets and works are escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import Reason
from pipeline.core.layout import REPORT, RISK_CSV
from pipeline.core.records import Band, Outcome, RiskRow
from pipeline.core.wording.templating import template_environment
from pipeline.core.wording.text import BANDS, count, risk_number, visible
from pipeline.report.card import OVERLAYS, Card, Content, card, displayed_match
from pipeline.results.files import ResultFiles, RunInfo
from pipeline.results.table import counts, flagged, urgency
from pipeline.risk.bands import partly_judged
from reference_index.interface import Work

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Content", "ReportLimits", "report_html", "why_unscreened", "write_report"]

_REASONS: Mapping[Reason, str] = {
    Reason.EMPTY_FILE: "Empty file",
    Reason.UNREADABLE: "Could not be read",
    Reason.NOT_A_FILE: "Not a regular file",
    Reason.UNSUPPORTED: "Kind of file that no stage judges",
    Reason.SYSTEM_FILE: "File of an operating system",
    Reason.CORRUPT: "Damaged file",
    Reason.TOO_LARGE: "Too large",
    Reason.TIMED_OUT: "Took too long to decode",
    Reason.DECODER_DIED: "Broke the decoder",
    Reason.NO_DECODER: "No process to decode it in",
    Reason.ENCRYPTED: "Encrypted",
    Reason.NO_TEXT: "No text in it",
    Reason.TOO_LITTLE_DETAIL: "Too little detail to judge",
    Reason.TOO_FEW_WORDS: "Too few words to judge",
    Reason.SWITCHED_OFF: "A stage was switched off",
    Reason.NOT_IN_INDEX: "The index lacks a stage",
    Reason.NO_WORKS: "No works of this kind in the index",
    Reason.NO_WEIGHTS: "A model's weights were not there",
    Reason.STAGE_FAILED: "A stage broke",
    Reason.NOT_LOADED: "Could not be loaded",
    Reason.ARRIVING: "Still arriving",
}


UNSCREENED = (Band.NOT_SCREENED, Band.PARTLY_SCREENED)


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """How much the page shows; the tables hold everything.

    Attributes:
        max_rows: flagged rows shown in full; also the most rows in each of the other lists.
        max_passages: passages shown of a row, longest first.
        max_others: further works shown of a row.
        max_overlays: overlays shown of a row.
        max_overlay_bytes: size of all overlays in the page; the most urgent rows have them.
    """

    max_rows: int = 500
    max_passages: int = 8
    max_others: int = 10
    max_overlays: int = OVERLAYS
    max_overlay_bytes: int = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Tally:
    """One band's share of the drop."""

    band: str
    title: str
    files: int
    percent: str


@dataclass(frozen=True, slots=True)
class Glance:
    """A flagged row on one line of the overview."""

    number: int
    band: str
    band_title: str
    path: str
    work_title: str
    rightsholder: str
    risk: str


@dataclass(frozen=True, slots=True)
class Unscreened:
    """Rows that could not be screened for one reason; `rows` are pairs of a path and sentences."""

    anchor: str
    title: str
    files: int
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A changed row on one line, in words fit to show."""

    change: str
    path: str
    before: str
    now: str
    risk: str
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes since the previous scan; if set, the report shows only these.

    Attributes:
        since: when the previous scan began; empty if there was none.
        counts: rows by band, of the whole table.
        tallies: how many rows there are of each kind of change.
        lines: the changes on the page.
        hidden: how many are not on it.
        notes: warnings, such as a drop that could not be read.
    """

    since: str
    counts: Mapping[str, int]
    tallies: tuple[tuple[str, int], ...]
    lines: tuple[ChangeLine, ...]
    hidden: int
    notes: tuple[str, ...]


def write_report(
    files: ResultFiles,
    *,
    run: RunInfo,
    rows: Sequence[RiskRow],
    works: Mapping[str, Work],
    content: Content | None = None,
    limits: ReportLimits | None = None,
    changes: Changes | None = None,
    name: str = REPORT,
) -> None:
    """Writes the page as `name`. Arguments as in `report_html`.

    Raises:
        DropError: if the file can't be written.
    """
    with files.new(name) as file:
        for part in report_html(
            run=run, rows=rows, works=works, content=content, limits=limits, changes=changes
        ):
            file.write(part.encode("utf-8", "backslashreplace"))


def report_html(
    *,
    run: RunInfo,
    rows: Sequence[RiskRow],
    works: Mapping[str, Work],
    content: Content | None = None,
    limits: ReportLimits | None = None,
    changes: Changes | None = None,
) -> Iterator[str]:
    """The page, in parts, so that a long one is never in memory at once.

    Args:
        run: the run.
        rows: every row of the risk table; with `changes`, the changed ones that still exist.
        works: every work of the index, by work id.
        content: pictures and texts that may be shown; the page says where one is missing.
        limits: how much is shown.
        changes: of a nightly scan.
    """
    content, limits = content or Content(), limits or ReportLimits()
    flagged_rows = flagged(rows)
    listed = flagged_rows[: limits.max_rows]
    unscreened = [r for r in rows if partly_judged(r) or r.band in UNSCREENED]
    unmatched = sorted(r.asset.asset_path for r in rows if r.band is Band.NO_MATCH)
    yield from _template().generate(
        run=run,
        drop=visible(run.drop) or "the drop",
        changes=changes,
        headline=_headline(rows, run, changes),
        tallies=_tallies(changes.counts if changes is not None else counts(rows)),
        bands=_band_meanings(run),
        glance=[_glance(n, row, works) for n, row in enumerate(listed, start=1)],
        cards=_cards(listed, works, run, content, limits),
        flagged=len(flagged_rows),
        hidden_flagged=len(flagged_rows) - len(listed),
        unscreened=_unscreened(unscreened, limits.max_rows),
        unscreened_files=len(unscreened),
        unmatched=[visible(path) for path in unmatched[: limits.max_rows]],
        unmatched_files=len(unmatched),
        csv=RISK_CSV,
        files=count(sum(changes.counts.values()) if changes is not None else len(rows), "file"),
        works_count=count(run.works, "work"),
        count=count,
    )


@cache
def _template() -> Template:
    return template_environment(Path(__file__).resolve().parent / "templates").get_template(
        "report.html.j2"
    )


def _headline(rows: Sequence[RiskRow], run: RunInfo, changes: Changes | None) -> str:
    """The result in a few sentences."""
    bands = counts(rows)
    flags = bands[Band.ESCALATE] + bands[Band.REVIEW]
    of = f"of {count(len(rows), 'file')}" if changes is None else f"of {count(len(rows), 'change')}"
    verb = "needs" if flags == 1 else "need"
    sentence = f"{flags:,} {of} {verb} a person’s eye." if flags else f"None {of} was flagged."
    if changes is not None and not rows:
        sentence = "Nothing changed."
    unscreened = sum(partly_judged(row) or row.band in UNSCREENED for row in rows)
    if unscreened:
        sentence += (
            f" {unscreened:,} {'was' if unscreened == 1 else 'were'} not screened, or only in part."
        )
    return f"{sentence} The reference index holds {count(run.works, 'work')}."


def _tallies(bands: Mapping[str, int]) -> list[Tally]:
    total = max(1, sum(bands.values()))
    return [
        Tally(band, BANDS[Band(band)], files, f"{100 * files / total:.0f} %")
        for band, files in bands.items()
    ]


def _band_meanings(run: RunInfo) -> list[tuple[str, str, str]]:
    escalate, review = run.bands.get("escalate"), run.bands.get("review")
    above = f" (risk {escalate:g} or more)" if escalate is not None else ""
    between = f" (risk {review:g} or more)" if review is not None else ""
    below = f" (risk below {review:g})" if review is not None else ""
    return [
        (band.value, BANDS[band], meaning)
        for band, meaning in (
            (Band.ESCALATE, f"strong evidence of copied material{above}, or an identical file"),
            (Band.REVIEW, f"evidence that a person should look at{between}; likeness alone"
             " reaches no higher"),
            (
                Band.INFO,
                f"weak evidence{below}, a passage not counted for the rights of its work, or"
                " matches that people agreed on suppressing",
            ),
            (Band.PARTLY_SCREENED, "nothing found in what could be judged, but not all could"),
            (Band.NOT_SCREENED, "could not be judged at all"),
            (Band.NO_MATCH, "every stage for its kind ran and found nothing in this index;"
             " it says nothing of works outside it"),
        )
    ]  # fmt: skip


def _glance(number: int, row: RiskRow, works: Mapping[str, Work]) -> Glance:
    work = works[displayed_match(row).work_id]
    return Glance(
        number=number,
        band=row.band.value,
        band_title=BANDS[row.band],
        path=visible(row.asset.asset_path),
        work_title=visible(work.title),
        rightsholder=visible(work.rightsholder),
        risk=risk_number(row.risk),
    )


def _cards(
    rows: Sequence[RiskRow],
    works: Mapping[str, Work],
    run: RunInfo,
    content: Content,
    limits: ReportLimits,
) -> Iterator[Card]:
    room = limits.max_overlay_bytes
    for number, row in enumerate(rows, start=1):
        built = card(
            number,
            row,
            works,
            run,
            content,
            max_passages=limits.max_passages,
            max_others=limits.max_others,
            max_overlays=limits.max_overlays,
            overlay_room=room,
        )
        room -= built.overlay_bytes
        yield built


def why_unscreened(row: RiskRow) -> tuple[str, str]:
    """Why a row was not screened or only in part, as the name and the title of a group: the fault
    of its file, or the reason of its first stage that did not run.
    """
    unrun = (Outcome.ABSTAINED, Outcome.SKIPPED, Outcome.FAILED)
    reason = next((o.reason for o in row.outcomes if o.reason and o.outcome in unrun), None)
    if row.asset.fault is not None:
        reason = row.asset.fault.reason
    if reason is not None:
        return str(reason), _REASONS.get(reason, str(reason))
    if not row.complete:
        return "in_part", "A part of it was not looked at"
    return "other", "Nothing to compare with"


def _unscreened(rows: Sequence[RiskRow], limit: int) -> list[Unscreened]:
    """Rows grouped by reason, the commonest first; at most `limit` rows in all."""
    grouped: dict[tuple[str, str], list[RiskRow]] = {}
    for row in sorted(rows, key=urgency):
        grouped.setdefault(why_unscreened(row), []).append(row)
    sizes = Counter({why: len(group) for why, group in grouped.items()})
    groups, room = [], limit
    for (name, title), files in sizes.most_common():
        listed = grouped[name, title][:room]
        room -= len(listed)
        groups.append(
            Unscreened(
                anchor=f"why-{name}",
                title=title,
                files=files,
                rows=tuple(
                    (
                        visible(row.asset.asset_path),
                        BANDS[row.band],
                        visible(" ".join(row.reasons)),
                    )
                    for row in listed
                ),
            )
        )
    return groups
