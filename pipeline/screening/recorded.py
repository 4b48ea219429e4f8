"""What a run takes from the record of decisions, and what it does where that can't be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import RecordError
from pipeline.decisions.places import is_url, record_file
from pipeline.decisions.state import Items, Suppression

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.results.files import ResultFiles


class RecordUse(StrEnum):
    """Whether a run used the record: there was `none`, it was `read`, or it was `unusable`."""

    NONE = "none"
    READ = "read"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Recorded:
    """What a run took from a record.

    Attributes:
        use: whether it used it.
        name: the record's own name; empty if it was not read. Of one that could not be used, this
            and the next two are what an earlier run saw of it.
        events: how many it held.
        head: hash of the last of them.
        items: where everything stands; nothing if it was not read.
        suppressions: the false matches that people agreed on; none if it was not read.
        why: what a reader must know: why it could not be used, or that it is another one than
            before.
    """

    use: RecordUse
    name: str = ""
    events: int = 0
    head: str = ""
    items: Items = field(default_factory=Items)
    suppressions: tuple[Suppression, ...] = ()
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """What run.json says of it."""
        return {
            "state": self.use.value,
            "record": self.name,
            "events": self.events,
            "head": self.head,
        }


NO_RECORD = Recorded(RecordUse.NONE)


class _LostError(RecordError):
    """Events that an earlier run saw are not there any more."""


def read_record(place: str | Path, witness: Mapping[str, Any] | None = None) -> Recorded:
    """Everything of the record at a place; each event is checked against its hash.

    Args:
        place: as `Record.open`.
        witness: what an earlier run said of the record (`Recorded.to_json`): the events that it saw
            must be there still, so that an end that was cut off, or all of it written anew, is
            noticed.

    Raises:
        RecordError: if there is none, it can't be read, or it was altered.
    """
    from pipeline.decisions.record import Record

    record = Record.open(place)
    seen = witness if witness is not None and witness.get("record") == record.name else {}
    items, head, met = Items(), "", not seen.get("events")
    for event in record.events():
        items.take(event)
        head = event.hash
        met = met or (event.seq == seen["events"] and event.hash == seen.get("head"))
    if not met:
        raise _LostError(
            f"The record {record.database.name} lacks events that the run before saw in it "
            f"({seen['events']:,}, the last with hash {seen.get('head')}): its end was cut off, or "
            "it was written anew. See what clearance audit verify says, and restore it from a copy."
        )
    found = tuple(items.suppressions())
    other = witness is not None and witness.get("record") not in (None, "", record.name)
    why = f"The record {record.database.name} is another one than the run before read."
    return Recorded(RecordUse.READ, record.name, items.at, head, items, found, why if other else "")


def record_if_sound(place: str | Path, before: Mapping[str, Any] | None) -> Recorded:
    """As `read_record`, for a run that goes on whatever becomes of the record.

    A record that is not there is none, unless the run before read one. Of one that can't be used
    nothing is taken: no match is suppressed by what can't be trusted. That events were lost is told
    once, so that whoever put a record back from a copy need do no more.

    Args:
        place: as `Record.open`.
        before: run.json of the run before; None if there was none.
    """
    said = before.get("record") if before is not None else None
    witness: Mapping[str, Any] = {}
    if isinstance(said, Mapping) and isinstance(said.get("events"), int):
        witness = said
    try:
        if not _is_there(place):
            if witness.get("record"):
                raise _LostError("The record that the run before read is not there.")  # noqa: TRY301
            return NO_RECORD
        return read_record(place, witness)
    except _LostError as error:
        return Recorded(RecordUse.UNUSABLE, why=str(error))
    except (RecordError, OSError) as error:
        return Recorded(
            RecordUse.UNUSABLE,
            str(witness.get("record") or ""),
            int(witness.get("events") or 0),
            str(witness.get("head") or ""),
            why=str(error),
        )


def _is_there(place: str | Path) -> bool:
    """Whether there is a record, in whatever condition: told without what reading it needs."""
    if is_url(place):
        from pipeline.decisions.database import Database

        return Database(place).exists
    file = record_file(Path(place))
    if not os.path.lexists(file):
        return False
    # An empty file is what a first writer leaves that was killed before it wrote.
    return not file.is_file() or file.stat().st_size > 0


def write_decisions(files: ResultFiles, risk: pa.Table, recorded: Recorded) -> None:
    """Writes risk_table_decided.parquet and .csv among a run's results, if a record was read.

    Raises:
        DropError: if they can't be written.
    """
    if recorded.use is not RecordUse.READ:
        return
    from pipeline.results.decided import write_decided_table

    write_decided_table(files, risk, recorded.items)
