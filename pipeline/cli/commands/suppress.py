"""`clearance audit suppress`: rules that suppress matches, as a false match does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json
from pipeline.cli.output import print_json, print_text

if TYPE_CHECKING:
    from pipeline.decisions.form_2 import SuppressionRule
    from pipeline.decisions.record import Record
    from pipeline.decisions.standing import Standing
    from pipeline.results.ruled import RunRules

app = typer.Typer(
    name="suppress",
    help="Rules that suppress matches: our own works, a series, a work in a folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Place = Annotated[
    str,
    typer.Argument(
        metavar="OUT",
        envvar="CLEARANCE_RECORD",
        help="A folder of results or scan directory, the record's file, or a postgresql:// URL.",
    ),
]
Number = Annotated[
    int, typer.Argument(metavar="RULE", help="The rule's number, as `suppress list` shows it.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it; it is recorded.")]


@app.command("list")
@handle_exceptions
def suppress_list(out: Place, as_json: Json = False) -> int:
    """List the rules, with how many matches each covers in the results of OUT."""
    from pipeline.decisions.places import record_file
    from pipeline.decisions.record import Record

    run = _run_of(out)
    # Results without a record yet have no rules; anything else that lacks one may be mistyped.
    no_record = run is not None and not os.path.lexists(record_file(Path(out)))
    rules = () if no_record else Record.open(out).standings().rules
    if as_json:
        print_json({"rules": [_as_json(one, run) for one in rules]})
        return EXIT_OK
    if not rules:
        print_text("The record has no rules that suppress.")
    for rule in rules:
        _print_rule(rule, run)
    return EXIT_OK


@app.command("add")
@handle_exceptions
def suppress_add(
    out: Place,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    by: By,
    work: Annotated[
        list[str] | None,
        typer.Option("--work", metavar="ID", help="A work, by its id; several may be named."),
    ] = None,
    works: Annotated[
        str | None,
        typer.Option(
            "--works",
            metavar="COLUMN=VALUE",
            help="Works by a column: rightsholder, rights, title, or another of the manifest.",
        ),
    ] = None,
    folder: Annotated[
        list[str] | None,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            help="Only assets in this folder of the risk table; *, ? and ** stand for names. "
            "Every asset, if none is named.",
        ),
    ] = None,
    until: Annotated[
        str, typer.Option(metavar="DAY", help="The last day on which it counts: 2027-01-31.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Say how many matches it covers, and add nothing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Add a rule: matches of these works in these assets are suppressed from the next run on."""
    from pipeline.decisions.events import Rules
    from pipeline.decisions.payloads import suppression_rule
    from pipeline.decisions.places import is_url, record_file, refuse_no_place
    from pipeline.decisions.record import Record
    from pipeline.decisions.selection import FolderSelection, WorkSelection

    column, equals, value = (works or "").partition("=")
    if works is not None and not equals:
        raise typer.BadParameter(f"--works takes COLUMN=VALUE, and {works} has no =")
    selected = WorkSelection.of(work or (), column, value)
    assets = FolderSelection.of(folder or ())
    # Refused here already, so that no record is made for a rule that can't be added.
    stated = suppression_rule(Rules(), selected, assets, reason, until)
    refuse_no_place(out, results=True)
    run = _run_of(out)
    if check and (is_url(out) or os.path.lexists(record_file(Path(out)))):
        stated = suppression_rule(Record.open(out).rules, selected, assets, reason, until)
    if check:
        hints = run.hints(stated) if run is not None else []
        if as_json:
            print_json(
                {
                    "rule": stated.to_json(),
                    "matches": _counts(stated, run),
                    "hints": hints,
                    "added": False,
                }
            )
        else:
            print_text(f"The rule would suppress {_present(stated, run).words}.")
            print_text(_count_sentence(stated, run))
            for hint in hints:
                print_text(hint)
            if stated.persons > 1:
                print_text("A second person must agree before it suppresses anything.")
            print_text("Nothing was added.")
        return EXIT_OK
    record = Record.open(out, create=True, actor=by)
    form = record.head.form
    event = record.add_rule(by, selected, assets, reason, until=until)
    _told(record, event.seq, run, as_json, upgraded=form != event.form)
    return EXIT_OK


@app.command("agree")
@handle_exceptions
def suppress_agree(
    out: Place,
    number: Number,
    by: By,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="A remark; it is recorded.")] = "",
    as_json: Json = False,
) -> int:
    """Agree, as a second person, to a rule that waits for one."""
    from pipeline.decisions.record import Record

    record, run = Record.open(out), _run_of(out)
    record.agree(by, _rule(record, number).event_id, reason)
    _told(record, number, run, as_json)
    return EXIT_OK


@app.command("revoke")
@handle_exceptions
def suppress_revoke(
    out: Place,
    number: Number,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")],
    by: By,
    as_json: Json = False,
) -> int:
    """Revoke a rule: its matches count again from the next run on."""
    from pipeline.decisions.record import Record

    record, run = Record.open(out), _run_of(out)
    record.revoke(by, _rule(record, number).event_id, reason)
    _told(record, number, run, as_json)
    return EXIT_OK


def _rule(record: Record, number: int) -> Standing[SuppressionRule]:
    from pipeline.core.errors import RecordError

    for one in record.standings().rules:
        if one.number == number:
            return one
    raise RecordError(
        f"The record has no rule {number}; clearance audit suppress list shows those it has."
    )


def _run_of(place: str) -> RunRules | None:
    """The run whose results lie there, or in `latest` of a scan directory; None if there are none
    that can be read: a rule can be revoked all the same.
    """
    from pipeline.core.errors import RunError
    from pipeline.core.layout import LATEST, RUN
    from pipeline.decisions.places import is_url
    from pipeline.results.files import read_run
    from pipeline.results.ruled import RunRules

    if is_url(place):
        return None
    for folder in (Path(place), Path(place) / LATEST):
        if (folder / RUN).is_file():
            with suppress(RunError):
                return RunRules(read_run(folder))
    return None


def _told(
    record: Record, number: int, run: RunRules | None, as_json: bool, *, upgraded: bool = False
) -> None:
    """Tells how a rule stands now."""
    rule = _rule(record, number)
    if as_json:
        print_json(_as_json(rule, run))
        return
    _print_rule(rule, run)
    if upgraded:
        print_text(
            "The record is of form 2 from here on; versions of Clearance that know only form 1 "
            "refuse it."
        )


def _as_json(rule: Standing[SuppressionRule], run: RunRules | None) -> dict[str, Any]:
    from pipeline.decisions.standing import today

    revocation = rule.revocation
    return {
        **rule.payload.to_json(),
        "number": rule.number,
        "event_id": rule.event_id,
        "status": str(rule.status(today())),
        "by": list(rule.by),
        "added": rule.event.time,
        "since": rule.since or None,
        "revoked_by": revocation.actor if revocation else None,
        "revoked": revocation.time if revocation else None,
        "matches": _counts(rule.payload, run),
    }


def _counts(rule: SuppressionRule, run: RunRules | None) -> dict[str, int] | None:
    counts = run.counts(rule) if run is not None else None
    return None if counts is None else {str(band): number for band, number in counts.items()}


def _print_rule(rule: Standing[SuppressionRule], run: RunRules | None) -> None:
    for line in _lines(rule, run):
        print_text(line)


def _lines(rule: Standing[SuppressionRule], run: RunRules | None) -> Iterator[str]:
    from pipeline.core.wording.text import listed
    from pipeline.decisions.form_2 import Revocation
    from pipeline.decisions.standing import Status, today

    payload, status = rule.payload, rule.status(today())
    yield f"Rule {rule.number}, {status}: {_present(payload, run).words}."
    until = f", until {payload.until}" if payload.until else ""
    yield f"  {listed(rule.by)}, {rule.event.time[:10]}{until}: {payload.reason}"
    if status is Status.WAITING:
        yield "  A second person has yet to agree; until then it suppresses nothing."
    if (revoked := rule.revocation) is not None and isinstance(revoked.payload, Revocation):
        yield f"  Revoked by {revoked.actor}, {revoked.time[:10]}: {revoked.payload.reason}"
    yield f"  {_count_sentence(payload, run)}"


def _present(rule: SuppressionRule, run: RunRules | None) -> SuppressionRule:
    """The rule with the present ids of works that were renamed."""
    return rule if run is None else run.under_present_ids(rule)


def _count_sentence(rule: SuppressionRule, run: RunRules | None) -> str:
    from pipeline.core.wording.text import BANDS, count

    if run is None:
        return "No results that can be read lie there, so its matches were not counted."
    counts = run.counts(rule)
    if counts is None:
        return (
            f"The index that was searched is not there, and it alone has the column "
            f"{rule.works.column}: the matches that it covers could not be counted."
        )
    if not counts:
        return "It covers no match of these results."
    bands = ", ".join(f"{number:,} {BANDS[band]}" for band, number in counts.items())
    return f"It covers {count(sum(counts.values()), 'match', 'matches')} of these results: {bands}."
