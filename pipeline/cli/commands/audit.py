"""`clearance audit`: verify, sign and export the record of what people decided."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.commands import suppress
from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import Json, RecordOption, SecondPerson
from pipeline.cli.output import print_error, print_json, print_text
from pipeline.core.wording.text import count

app = typer.Typer(
    name="audit",
    help="Verify, sign and export the record of what people decided.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(suppress.app)

RecordPlace = Annotated[
    str,
    typer.Argument(
        metavar="RECORD",
        envvar="CLEARANCE_RECORD",
        help="A folder of results or scan directory, the record's file, or a postgresql:// URL.",
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        metavar="FILE.jsonl",
        help="Where checkpoints are kept; if not given, next to a record in SQLite.",
    ),
]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option("--public-key", metavar="FILE", help="A key whose checkpoints are trusted."),
]


@app.command("verify")
@handle_exceptions
def audit_verify(
    record: RecordPlace,
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Read the whole record and name the first event that was altered, removed or reordered."""
    verified = _verified(record, checkpoints, public_keys)
    if as_json:
        print_json(verified.summary())
        return EXIT_OK if verified.whole else EXIT_WRONG
    for sentence in (*verified.faults, *verified.notes):
        print_text(sentence)
    if verified.whole:
        print_text(
            f"The record {verified.record} is unchanged: {count(verified.events, 'event')}, "
            f"the last with hash {verified.head}."
        )
        return EXIT_OK
    mend = "Verify it with that version." if verified.newer else "Restore the record from a copy."
    print_text(
        f"{count(len(verified.faults), 'fault')}: the {count(verified.events, 'event')} before the "
        f"first are unchanged. {mend}"
    )
    return EXIT_WRONG


@app.command("key")
@handle_exceptions
def audit_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file of the signing key.")],
    as_json: Json = False,
) -> int:
    """Make a key to sign checkpoints with: FILE, and FILE.pub to verify them with."""
    from pipeline.decisions.checkpoints import fingerprint, make_key, public_key

    public = make_key(file)
    name = fingerprint(public_key(public))
    if as_json:
        print_json({"key": str(file), "public_key": str(public), "fingerprint": name})
    else:
        print_text(f"Made {file}, readable only by its owner, and {public}. Fingerprint: {name}")
    return EXIT_OK


@app.command("checkpoint")
@handle_exceptions
def audit_checkpoint(
    record: RecordPlace,
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The signing key of clearance audit key.")
    ],
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Verify the record, then sign its length and last hash, so that truncation shows later."""
    from pipeline.decisions.audit import sign_checkpoint
    from pipeline.decisions.checkpoints import public_key

    trusted = [public_key(one) for one in public_keys or ()]
    checkpoint, file = sign_checkpoint(record, key, checkpoints, trusted)
    if as_json:
        print_json({**checkpoint.statement(), "checkpoints": str(file)})
    else:
        events = count(checkpoint.seq, "event")
        print_text(f"Checkpoint {checkpoint.number} of {events} was added to {file}.")
    return EXIT_OK


class ExportFormat(StrEnum):
    """What `audit export` writes."""

    csv = "csv"
    json = "json"
    html = "html"


@app.command("export")
@handle_exceptions
def audit_export(
    record: RecordPlace,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new file.")],
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="What to write, if FILE's name does not end in it."),
    ] = None,
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Write every event of the record as CSV, JSON or HTML."""
    from pipeline.decisions.export import Format, write_export
    from pipeline.decisions.record import Record

    name = form.value if form else out.suffix.lower().removeprefix(".")
    if name not in [one.value for one in Format]:
        raise typer.BadParameter(f"{out} does not end in .csv, .json or .html; give --format")
    verified = _verified(record, checkpoints, public_keys)
    events = write_export(Record.open(record), verified, out, Format(name))
    if as_json:
        print_json({"file": str(out), "events": events, "verified": verified.summary()})
    else:
        print_text(f"Wrote {count(events, 'event')} to {out}.")
    if verified.whole:
        return EXIT_OK
    print_error(
        f"The record was changed, so only the events before the first fault were exported: "
        f"{verified.faults[0]}"
    )
    return EXIT_WRONG


@app.command("table")
@handle_exceptions
def audit_table(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The results of a run.")],
    record: RecordOption = None,
    as_json: Json = False,
) -> int:
    """Write risk_table_decided.csv and .parquet: the risk table with what people decided."""
    from collections import Counter

    from pipeline.core.layout import DECIDED, DECIDED_CSV
    from pipeline.decisions.record import Record
    from pipeline.decisions.state import State
    from pipeline.results.decided import write_decided
    from pipeline.review.wording import STATES

    table = write_decided(out, Record.open(record if record is not None else out))
    states = dict(sorted(Counter(table.column("decision_state").to_pylist()).items()))
    if as_json:
        print_json({"files": [str(out / DECIDED), str(out / DECIDED_CSV)], "states": states})
    else:
        rows = "; ".join(
            f"{STATES[State(state)].lower()}: {number:,}" for state, number in states.items()
        )
        print_text(f"Wrote {out / DECIDED_CSV} and {DECIDED}: {rows or 'no rows'}.")
    return EXIT_OK


@app.command("rules")
@handle_exceptions
def audit_rules(
    record: RecordPlace,
    second_person: SecondPerson = None,
    reason_in: Annotated[
        list[str] | None,
        typer.Option(metavar="BAND", help="Bands whose rows need a reason; `none` for no band."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who sets them; it is recorded.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show or set the rules for decisions. Setting them is an event of the record."""
    from dataclasses import replace

    from pipeline.core.errors import RecordError
    from pipeline.decisions.events import parse_bands
    from pipeline.decisions.places import refuse_no_place
    from pipeline.decisions.record import Record

    setting = second_person is not None or reason_in is not None
    if setting and by is None:
        raise RecordError("Setting rules needs --by NAME: who sets them is recorded.")
    if setting:
        refuse_no_place(record)
    opened = Record.open(record, create=setting, actor=by or "clearance")
    rules = opened.rules
    if second_person is not None:
        rules = replace(rules, second_person=parse_bands(second_person))
    if reason_in is not None:
        rules = replace(rules, reason_in=parse_bands(reason_in))
    if setting:
        opened.set_rules(str(by), rules)
        rules = opened.rules
    if as_json:
        print_json({"second_person": list(rules.second_person), "reason_in": list(rules.reason_in)})
    else:
        print_text(f"A second person decides on: {', '.join(rules.second_person) or 'nothing'}.")
        print_text(
            f"A reason is needed for: {', '.join(rules.reason_in) or 'nothing'}, and false_match."
        )
    return EXIT_OK


def _verified(record: str, checkpoints: Path | None, public_keys: list[Path] | None) -> Any:
    from pipeline.decisions.audit import verify
    from pipeline.decisions.checkpoints import public_key

    keys = [public_key(file) for file in public_keys or ()]
    return verify(record, checkpoints=checkpoints, keys=keys)
