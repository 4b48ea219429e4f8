"""`clearance audit verify`: whether the record is what was written, and what can't be verified."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import RecordError
from pipeline.decisions.checkpoints import (
    Checkpoint,
    add_checkpoint,
    read_lines,
    signature_faults,
    signing_key,
)
from pipeline.decisions.database import EVENTS, Database, driver_message, sa
from pipeline.decisions.event_log import following_form
from pipeline.decisions.event_rows import event_of
from pipeline.decisions.events import Opened
from pipeline.decisions.hash_chain import GENESIS_HASH, AlteredError, NewerFormError
from pipeline.decisions.places import CHECKPOINTS
from pipeline.decisions.sqlite_file import content_faults, header_faults

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pipeline.decisions.events import Event

_POSTGRESQL_TRIGGERS = {"clearance_events_no_change", "clearance_events_no_truncate"}


@dataclass(frozen=True)
class Verified:
    """Result of verifying a record.

    Attributes:
        place: the record's file or database, for messages.
        record: the record's id; empty if its first event can't be read.
        events: how many events are intact, from the first on without a gap.
        head: hash of the last of those.
        kinds: how many events there are of each kind.
        first_bad: place of the first event that was altered, removed or reordered; None if there is
            none, or if the fault is not in an event.
        faults: sentences on what is wrong; empty if the record is intact.
        notes: sentences on limits of the result, such as events that no checkpoint covers.
        checkpoints: how many checkpoints have a valid signature of a given key.
        covered: place of the last event that one of them covers.
        newer: whether the only fault is that a newer version of Clearance wrote the event
            `first_bad`, in a form that this one does not know.
    """

    place: str
    record: str
    events: int
    head: str
    kinds: dict[str, int]
    first_bad: int | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    checkpoints: int
    covered: int
    newer: bool = False

    @property
    def whole(self) -> bool:
        """Whether the record is intact."""
        return not self.faults

    def summary(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "place": self.place,
            "record": self.record,
            "events": self.events,
            "head": self.head,
            "kinds": self.kinds,
            "whole": self.whole,
            "first_bad": self.first_bad,
            "faults": list(self.faults),
            "notes": list(self.notes),
            "checkpoints": self.checkpoints,
            "covered": self.covered,
            "newer": self.newer,
        }


def checkpoints_file(database: Database, file: Path | None) -> Path | None:
    """The file of checkpoints: `file`, or by default the one next to a SQLite record."""
    if file is not None or database.file is None:
        return file
    return database.file.with_name(CHECKPOINTS)


def verify(
    place: str | Path,
    *,
    checkpoints: Path | None = None,
    keys: Sequence[Ed25519PublicKey] = (),
) -> Verified:
    """Reads a whole record and verifies that it is what was written. Nothing is changed.

    Every event is compared with its hash, every hash with the one before, every column with the
    event; and a SQLite file's header, schema and pages are checked. With keys, the end is compared
    with the signed checkpoints.

    Args:
        place: as `Record.open`.
        checkpoints: their file, if it is not `record.checkpoints.jsonl` next to the record.
        keys: public keys that are trusted.

    Raises:
        RecordError: if there is no record, or the database can't be reached.
    """
    database = Database(place)
    if not database.exists:
        raise RecordError(f"There is no record at {database.name}.")
    signed, notes, faults = _checkpoints(checkpoints_file(database, checkpoints), keys)
    chain = _Chain({one.seq for one in signed})
    file_faults = _read(database, chain)
    foreign = [one.number for one in signed if chain.record and one.record != chain.record]
    if foreign:
        faults.append(f"Checkpoint {foreign[0]} is of another record.")
    own = [one for one in signed if one.record == chain.record]
    missed, covered = _compare(chain, own)
    first_bad = chain.first_bad
    if missed and first_bad is None:
        first_bad = missed[0][0]
    all_faults = [*chain.faults, *(sentence for _, sentence in missed), *file_faults, *faults]
    if chain.events > covered:
        notes.append(
            f"{_places(covered + 1, chain.events)} not covered by a verified checkpoint: removing "
            "or rewriting the end there would not be noticed."
        )
    return Verified(
        place=database.name,
        record=chain.record,
        events=chain.events,
        head=chain.head,
        kinds=dict(chain.kinds),
        first_bad=first_bad,
        faults=tuple(all_faults),
        notes=(*chain.notes, *notes),
        checkpoints=len(own),
        covered=covered,
        newer=chain.newer and len(all_faults) == 1,
    )


def sign_checkpoint(
    place: str | Path,
    key_file: Path,
    checkpoints: Path | None = None,
    keys: Sequence[Ed25519PublicKey] = (),
) -> tuple[Checkpoint, Path]:
    """Verifies a record, signs its end, and appends the checkpoint to a file.

    Args:
        place: as `Record.open`.
        key_file: of `make_key`.
        checkpoints: their file; by default next to a SQLite record.
        keys: public keys of earlier checkpoints in it, if they were signed with other keys.

    Returns:
        The checkpoint, and the file that it was appended to.

    Raises:
        RecordError: if the record or the checkpoints are not intact, or nothing can be signed.
    """
    key = signing_key(key_file)
    file = checkpoints_file(Database(place), checkpoints)
    if file is None:
        raise RecordError("Name the file for checkpoints of a record in PostgreSQL: --checkpoints.")
    begun = file.exists() and file.stat().st_size > 0
    trusted = (key.public_key(), *keys)
    result = verify(place, checkpoints=file, keys=trusted if begun else ())
    if not result.whole:
        raise RecordError(f"Nothing was signed: {result.faults[0]}")
    return add_checkpoint(file, result.record, result.events, result.head, key), file


class _Chain:
    """Reads events one after the other, up to the first that is not what was written."""

    def __init__(self, wanted: set[int]) -> None:
        self.wanted = wanted
        self.hashes: dict[int, str] = {}
        self.record = ""
        self.events = 0
        self.head = GENESIS_HASH
        self.kinds: Counter[str] = Counter()
        self.first_bad: int | None = None
        self.faults: list[str] = []
        self.notes: list[str] = []
        self._time = ""
        self._form: int | None = None
        self.newer = False

    def take(self, row: Any) -> bool:
        """Takes the next row; False if it is not what was written."""
        place = self.events + 1
        try:
            event = event_of(row, place, self.head)
            if (place == 1) != isinstance(event.payload, Opened):
                raise AlteredError("is not what a record begins with")  # noqa: TRY301
            self._form = following_form(event, self._form)
        except NewerFormError as error:
            self.newer = True
            self.broken(f"{error}: a newer version of Clearance wrote it")
            return False
        except AlteredError as error:
            self.broken(str(error))
            return False
        self._accept(event)
        return True

    def broken(self, how: str) -> None:
        """Records that the next event is not what was written; half a sentence says how."""
        self.first_bad = self.events + 1
        self.faults.append(f"Event {self.first_bad} {how}.")

    def _accept(self, event: Event) -> None:
        if isinstance(event.payload, Opened):
            self.record = event.payload.record
        if event.time < self._time:
            self.notes.append(
                f"Event {event.seq} has an earlier time than the one before it ({event.time}, "
                f"{self._time}): a clock was set back."
            )
        self._time = event.time
        self.events, self.head = event.seq, event.hash
        self.kinds[str(event.kind)] += 1
        if event.seq in self.wanted:
            self.hashes[event.seq] = event.hash


def _read(database: Database, chain: _Chain) -> list[str]:
    """Reads the events into `chain`; sentences on faults of the file, schema and triggers."""
    faults: list[str] = []
    if database.file is not None:
        try:
            faults += header_faults(database.file)
        except OSError as error:
            raise RecordError(f"{database.file} can't be read ({error.strerror}).") from error
    try:
        with database.reading() as connection:
            if database.file is not None:
                faults += content_faults(connection)
            else:
                faults += _trigger_faults(connection)
            query = sa.select(EVENTS).order_by(EVENTS.c.seq)
            if database.file is None:
                query = query.execution_options(yield_per=500)
            with closing(connection.execute(query)) as rows:
                _follow(rows, chain)
    except RecordError as error:
        if database.file is None:
            raise
        faults.append(str(error))
    if not chain.events and chain.first_bad is None:
        chain.broken("is missing")
    return faults


def _follow(rows: sa.CursorResult[Any], chain: _Chain) -> None:
    while True:
        try:
            row = rows.fetchone()  # one by one, so that a read error has the place of its event
        except (sa.exc.SQLAlchemyError, sqlite3.Error, UnicodeError, ValueError) as error:
            chain.broken(f"can't be read ({driver_message(error)})")
            return
        if row is None or not chain.take(row):
            return


def _trigger_faults(connection: sa.Connection) -> list[str]:
    """Sentences on triggers that are missing or switched off in PostgreSQL."""
    if not sa.inspect(connection).has_table(EVENTS.name):
        return ["The table of events is missing."]
    rows = connection.exec_driver_sql(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'clearance_events'::regclass "
        "AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    missing = _POSTGRESQL_TRIGGERS - {row[0] for row in rows}
    return [f"The trigger {name} is missing or switched off." for name in sorted(missing)]


def _checkpoints(
    file: Path | None, keys: Sequence[Ed25519PublicKey]
) -> tuple[list[Checkpoint], list[str], list[str]]:
    """Checkpoints that a trusted key signed, notes, and sentences on faults of their file."""
    try:
        data = file.read_bytes() if file is not None else b""
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise RecordError(f"The checkpoints {file} can't be read ({error.strerror}).") from error
    if not data:
        if keys:
            return [], [], [f"There are no checkpoints in {file or 'any file that was named'}."]
        return [], ["There are no checkpoints (clearance audit checkpoint makes them)."], []
    _, read, faults = read_lines(data)
    faults = [f"{file}: {fault}" for fault in faults]
    if not keys:
        note = f"The checkpoints in {file} were not verified; give the public key for that."
        return [], [note], faults
    wrong = signature_faults(read, keys)
    return ([] if wrong else read), [], faults + [f"{file}: {fault}" for fault in wrong]


def _compare(chain: _Chain, own: Sequence[Checkpoint]) -> tuple[list[tuple[int, str]], int]:
    """Differences between record and checkpoints (place, sentence), and the last covered place."""
    missed: list[tuple[int, str]] = []
    covered = 0
    for one in own:
        if one.seq > chain.events:
            if chain.first_bad is None:
                sentence = (
                    f"Event {chain.events + 1} was removed: the end was cut off. Checkpoint "
                    f"{one.number} of {one.time} saw {one.seq:,} events."
                )
                missed.append((chain.events + 1, sentence))
            break
        if chain.hashes.get(one.seq) != one.hash:
            sentence = (
                f"Event {one.seq} is not the one that checkpoint {one.number} of {one.time} saw: "
                f"{_places(covered + 1, one.seq, 'of')} at least one was written anew."
            )
            missed.append((covered + 1, sentence))
            break
        covered = max(covered, one.seq)
    return missed, covered


def _places(first: int, last: int, form: str = "is") -> str:
    if form == "of":
        return f"of events {first:,} to {last:,}"
    return f"Event {first:,} is" if first == last else f"Events {first:,} to {last:,} are"
