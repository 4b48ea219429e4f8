"""Decisions that a run applies, and what it does if their record can't be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import RecordError
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.places import is_url, record_file
from pipeline.decisions.standing import Standing, Status, today
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
    """What a run read from a record of decisions.

    Attributes:
        use: whether the record was used.
        name: the record's own name; empty if it was not read. If it could not be used, this and the
            next two are those that an earlier run stored.
        events: how many events it has.
        head: hash of the last event.
        items: current decisions by item; empty if it was not read.
        suppressions: matches that reviewers agreed are false; empty if it was not read.
        rules: rules that suppress and count on the day of the run; empty if it was not read.
        day: the day of the run, UTC; empty if it was not read.
        why: a sentence for the reader: why it could not be used, or that it is another record than
            before.
    """

    use: RecordUse
    name: str = ""
    events: int = 0
    head: str = ""
    items: Items = field(default_factory=Items)
    suppressions: tuple[Suppression, ...] = ()
    rules: tuple[Standing[SuppressionRule], ...] = ()
    day: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """The key `record` of run.json."""
        return {
            "state": self.use.value,
            "record": self.name,
            "events": self.events,
            "head": self.head,
            "rules": len(self.rules),
            "day": self.day,
        }


NO_RECORD = Recorded(RecordUse.NONE)


class _LostError(RecordError):
    """Events that an earlier run read are missing."""


def read_record(
    place: str | Path,
    witness: Mapping[str, Any] | None = None,
    aliases: Mapping[str, str] | None = None,
    *,
    day: str | None = None,
) -> Recorded:
    """Reads a record of decisions; checks each event against its hash.

    Args:
        place: as `Record.open`.
        witness: what an earlier run stored of the record (`Recorded.to_json`): the events that it
            read must still be there. This detects a record that was truncated or rewritten.
        aliases: by former id of a work, its present id (`ReferenceIndex.aliases`).
        day: of the run (UTC, ISO 8601), None for today: a rule still counts on its last day.

    Raises:
        RecordError: if there is none, it can't be read, or it was altered.
    """
    from pipeline.decisions.record import Record

    record = Record.open(place, aliases=aliases)
    expected = witness if witness is not None and witness.get("record") == record.name else {}
    items, head, found_last = Items(aliases=aliases), "", not expected.get("events")
    for event in record.events():
        items.take(event)
        head = event.hash
        found_last = found_last or (
            event.seq == expected["events"] and event.hash == expected.get("head")
        )
    if not found_last:
        raise _LostError(
            f"The record {record.database.name} lacks events that the run before saw in it "
            f"({expected['events']:,}, the last with hash {expected.get('head')}): its end was cut "
            "off, or it was written anew. See what clearance audit verify says, and restore it "
            "from a copy."
        )
    suppressions = tuple(items.suppressions())
    other = witness is not None and witness.get("record") not in (None, "", record.name)
    why = f"The record {record.database.name} is another one than the run before read."
    day = day or today()
    rules = tuple(one for one in items.standings.rules if one.status(day) is Status.ACTIVE)
    return Recorded(
        RecordUse.READ,
        record.name,
        items.at,
        head,
        items,
        suppressions,
        rules,
        day,
        why if other else "",
    )


def record_if_sound(
    place: str | Path,
    before: Mapping[str, Any] | None,
    aliases: Mapping[str, str] | None = None,
    *,
    day: str | None = None,
) -> Recorded:
    """As `read_record`, for a run that goes on even if the record can't be used.

    A missing record counts as none, unless the previous run read one. An unusable record suppresses
    no match. Lost events are reported once only, so that a record restored from a copy needs no
    further action.

    Args:
        place: as `Record.open`.
        before: run.json of the previous run; None if there was none.
        aliases: as in `read_record`.
        day: as in `read_record`.
    """
    stored = before.get("record") if before is not None else None
    witness: Mapping[str, Any] = {}
    if isinstance(stored, Mapping) and isinstance(stored.get("events"), int):
        witness = stored
    try:
        if not _exists(place):
            if witness.get("record"):
                raise _LostError("The record that the run before read is not there.")  # noqa: TRY301
            return NO_RECORD
        return read_record(place, witness, aliases, day=day)
    except _LostError as error:
        return Recorded(RecordUse.UNUSABLE, why=str(error))
    except (RecordError, OSError) as error:
        return Recorded(
            RecordUse.UNUSABLE,
            str(witness.get("record") or ""),
            int(witness.get("events") or 0),
            str(witness.get("head") or ""),
            day=day or today(),
            why=str(error),
        )


def _exists(place: str | Path) -> bool:
    """Whether there is a record, readable or not; needs none of the extras that reading needs."""
    if is_url(place):
        from pipeline.decisions.database import Database

        return Database(place).exists
    file = record_file(Path(place))
    if not os.path.lexists(file):
        return False
    # A first writer that is killed before it writes leaves an empty file.
    return not file.is_file() or file.stat().st_size > 0


def write_decisions(
    files: ResultFiles, risk: pa.Table, matches: pa.Table, recorded: Recorded
) -> None:
    """Writes risk_table_decided.parquet and .csv among a run's results, if a record was read.

    Raises:
        DropError: if they can't be written.
    """
    if recorded.use is not RecordUse.READ:
        return
    from pipeline.results.decided import write_decided_table
    from pipeline.results.ruled import rules_that_suppressed

    ruled = rules_that_suppressed(matches, recorded.items.standings, recorded.day)
    write_decided_table(files, risk, recorded.items, ruled)
