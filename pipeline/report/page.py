"""report.html: a self-contained page of a run.

The page makes no network request, which its content security policy also forbids. Its one script
filters the rows and prints one of them; the policy names it by its SHA-256 and allows no other. All
else works without. Names and texts of assets and works are escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.layout import REPORT, RISK_CSV
from pipeline.core.records import Band, RiskRow
from pipeline.core.wording.templating import template_environment
from pipeline.core.wording.text import BANDS, count, visible
from pipeline.report.card import Card, CardLimits, Content, card
from pipeline.report.page_pictures import BADGE_RADIUS, PagePictures
from pipeline.report.summary import Summary, summary_of
from pipeline.report.unscreened import unscreened_groups, unscreened_rows
from pipeline.results.files import ResultFiles, RunInfo
from pipeline.results.table import counts, flagged
from pipeline.results.table_checks import FLAGGED
from reference_index.interface import Work

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Content", "ReportLimits", "report_html", "write_report"]

_TEMPLATES = Path(__file__).resolve().parent / "templates"

SUMMARY_LINES = 12
"""Lines of each table of the first page that are not folded."""


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """How much the page shows; the tables hold everything.

    Attributes:
        max_rows: flagged rows shown in full; also the most rows in each of the other lists.
        card: how much each of them shows. `overlay_bytes` is for all of them together; the most
            urgent rows have them.
    """

    max_rows: int = 500
    card: CardLimits = field(default_factory=CardLimits)


@dataclass(frozen=True, slots=True)
class Tally:
    """One band's share of the drop."""

    band: str
    title: str
    files: int
    percent: str


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
    unscreened = unscreened_rows(rows)
    unmatched = sorted(r.asset.asset_path for r in rows if r.band is Band.NO_MATCH)
    summary = summary_of(rows, works)
    numbers = {row.asset.asset_path: number for number, row in enumerate(listed, start=1)}
    yield from _template("report.html.j2").generate(
        **_shared(),
        run=run,
        drop=visible(run.drop) or "the drop",
        changes=changes,
        headline=_headline(rows, run, changes),
        tallies=_tallies(changes.counts if changes is not None else counts(rows)),
        bands=_band_meanings(run),
        summary=summary,
        summary_lines=SUMMARY_LINES,
        flagged_bands=[(band.value, BANDS[band]) for band in FLAGGED],
        all_bands=[(band.value, BANDS[band]) for band in Band],
        cards=_cards(listed, works, run, content, limits, summary),
        number_of={visible(path): number for path, number in numbers.items()},
        flagged=len(flagged_rows),
        hidden_flagged=len(flagged_rows) - len(listed),
        unscreened=unscreened_groups(unscreened, limits.max_rows),
        unscreened_files=len(unscreened),
        unmatched=[visible(path) for path in unmatched[: limits.max_rows]],
        unmatched_files=len(unmatched),
        csv=RISK_CSV,
        files=count(sum(changes.counts.values()) if changes is not None else len(rows), "file"),
        works_count=count(run.works, "work"),
        works_found=len(summary.works),
    )


@cache
def _template(name: str) -> Template:
    return template_environment(_TEMPLATES).get_template(name)


@cache
def script() -> str:
    """The page's script."""
    return (_TEMPLATES / "report.js").read_text(encoding="utf-8")


def script_source() -> str:
    """The page's script as its content security policy names it."""
    digest = hashlib.sha256(script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _shared() -> dict[str, Any]:
    return {
        "count": count,
        "script": script(),
        "script_source": script_source(),
        "badge_radius": BADGE_RADIUS,
    }


def card_html(one: Card, run: RunInfo, notes: Sequence[str]) -> str:
    """A page of one card.

    Args:
        one: the card.
        run: its run.
        notes: sentences on what is not shown and why.
    """
    return _template("card_page.html.j2").render(
        **_shared(), run=run, drop=visible(run.drop) or "the drop", c=one, notes=notes
    )


def _headline(rows: Sequence[RiskRow], run: RunInfo, changes: Changes | None) -> str:
    """The result in a few sentences."""
    bands = counts(rows)
    flags = bands[Band.ESCALATE] + bands[Band.REVIEW]
    need = "needs" if flags == 1 else "need"
    of = f"of {count(len(rows), 'file')}"
    before = ""
    if changes is not None:
        number = sum(number for _, number in changes.tallies)
        before = f"{count(number, 'change')}. " if number else "Nothing changed."
        of = f"of the {count(len(rows), 'changed file')}"
        of += " still there" if number > len(rows) else ""
    sentence = f"{flags:,} {of} {need} review by a person." if flags else f"None {of} was flagged."
    if changes is not None and not rows:
        sentence = ""
    unscreened = len(unscreened_rows(rows))
    if unscreened:
        sentence += (
            f" {unscreened:,} {'was' if unscreened == 1 else 'were'} not screened, or only in part."
        )
    return f"{before}{sentence} The reference index holds {count(run.works, 'work')}."


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


def _cards(
    rows: Sequence[RiskRow],
    works: Mapping[str, Work],
    run: RunInfo,
    content: Content,
    limits: ReportLimits,
    summary: Summary,
) -> Iterator[tuple[Card, str, str]]:
    """The cards, each with the numbers of its works and rightsholders."""
    room, pictures = limits.card.overlay_bytes, PagePictures()
    for number, row in enumerate(rows, start=1):
        left = replace(limits.card, overlay_bytes=room)
        built = card(number, row, works, run, content, pictures, left)
        room -= built.overlay_bytes
        yield (
            built,
            " ".join(map(str, summary.works_of(row))),
            " ".join(map(str, summary.holders_of(row, works))),
        )
