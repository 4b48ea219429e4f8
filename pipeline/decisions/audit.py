"""`clearance audit verify`: whether the record is what was written, and what can't be said."""

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
from pipeline.decisions.database import EVENTS, Database, driver_said, sa
from pipeline.decisions.event_rows import event_of
from pipeline.decisions.events import Opened
from pipeline.decisions.hash_chain import GENESIS_HASH, AlteredError
from pipeline.decisions.places import CHECKPOINTS
from pipeline.decisions.sqlite_file import content_faults, header_faults

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pipeline.decisions.events import Event

_POSTGRESQL_TRIGGERS = {"clearance_events_no_change", "clearance_events_no_truncate"}


@dataclass(frozen=True)
class Verified:
    """What verifying found.

    Attributes:
        place: the record, for people.
        record: its name; empty if its first event can't be read.
        events: how many were found whole, from the first on without a gap.
        head: hash of the last of those.
        kinds: how many there are of each kind.
        first_bad: place of the first event that was altered, removed or reordered; None if none
            was, or if what is wrong is about no event.
        faults: sentences on what is wrong; empty if the record is whole.
        notes: sentences on what a reader must know besides: what no checkpoint covers.
        checkpoints: how many hold with a key that was given.
        covered: place of the last event that one of them covers.
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

    @property
    def whole(self) -> bool:
        """Whether nothing was found to be wrong."""
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
        }


def checkpoints_file(database: Database, given: Path | None) -> Path | None:
    """The file of checkpoints: the one given, or the one beside a record in SQLite."""
    if given is not None or database.file is None:
        return given
    return database.file.with_name(CHECKPOINTS)


def verify(
    place: str | Path,
    *,
    checkpoints: Path | None = None,
    keys: Sequence[Ed25519PublicKey] = (),
) -> Verified:
    """Reads a whole record and says whether it is what was written. Nothing is changed.

    Every byte of every event is held against its hash, every hash against the one before, every
    column against the event; a SQLite file's header, schema and pages too. With keys, the end is
    held against what checkpoints saw.

    Args:
        place: as `Record.open`.
        checkpoints: their file, if it is not `record.checkpoints.jsonl` beside the record.
        keys: public keys that are trusted.

    Raises:
        RecordError: if there is no record, or the database can't be reached.
    """
    database = Database(place)
    if not database.there:
        raise RecordError(f"There is no record at {database.name}.")
    seen, notes, faults = _checkpoints(checkpoints_file(database, checkpoints), keys)
    chain = _Chain({one.seq for one in seen})
    around = _read(database, chain)
    of_other = [one.number for one in seen if chain.record and one.record != chain.record]
    if of_other:
        faults.append(f"Checkpoint {of_other[0]} is of another record.")
    own = [one for one in seen if one.record == chain.record]
    missed, covered = _held(chain, own)
    first_bad = chain.first_bad
    if missed and first_bad is None:
        first_bad = missed[0][0]
    found = [*chain.faults, *(sentence for _, sentence in missed), *around, *faults]
    if chain.events > covered:
        notes.append(
            f"{_places(covered + 1, chain.events)} covered by no checkpoint that was verified: "
            "cutting off the end there, or writing it anew, would not be seen."
        )
    return Verified(
        place=database.name,
        record=chain.record,
        events=chain.events,
        head=chain.head,
        kinds=dict(chain.kinds),
        first_bad=first_bad,
        faults=tuple(found),
        notes=(*chain.notes, *notes),
        checkpoints=len(own),
        covered=covered,
    )


def sign_checkpoint(
    place: str | Path,
    key_file: Path,
    checkpoints: Path | None = None,
    keys: Sequence[Ed25519PublicKey] = (),
) -> tuple[Checkpoint, Path]:
    """Verifies a record and signs its end; the checkpoint, and the file that it was added to.

    Args:
        place: as `Record.open`.
        key_file: of `make_key`.
        checkpoints: their file; beside a record in SQLite if not given.
        keys: public keys that signed earlier checkpoints in it, if another one did.

    Raises:
        RecordError: if the record or the checkpoints are not whole, or nothing can be signed.
    """
    key = signing_key(key_file)
    file = checkpoints_file(Database(place), checkpoints)
    if file is None:
        raise RecordError("Name the file for checkpoints of a record in PostgreSQL: --checkpoints.")
    begun = file.exists() and file.stat().st_size > 0
    trusted = (key.public_key(), *keys)
    found = verify(place, checkpoints=file, keys=trusted if begun else ())
    if not found.whole:
        raise RecordError(f"Nothing was signed: {found.faults[0]}")
    return add_checkpoint(file, found.record, found.events, found.head, key), file


class _Chain:
    """Events as they are read, up to the first that is not what was written."""

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

    def take(self, stored: Any) -> bool:
        """Takes the next row; False if it is not what was written."""
        place = self.events + 1
        try:
            event = event_of(stored, place, self.head)
            if (place == 1) != isinstance(event.payload, Opened):
                raise AlteredError("is not what a record begins with")  # noqa: TRY301
        except AlteredError as error:
            self.broken(str(error))
            return False
        self._went_on(event)
        return True

    def broken(self, how: str) -> None:
        """The next event is not what was written; half a sentence says how."""
        self.first_bad = self.events + 1
        self.faults.append(f"Event {self.first_bad} {how}.")

    def _went_on(self, event: Event) -> None:
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
    """Reads the events into `chain`; sentences on what is wrong around them."""
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
                faults += _guard_faults(connection)
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
            stored = rows.fetchone()  # one by one, so that a fault is at its event
        except (sa.exc.SQLAlchemyError, sqlite3.Error, UnicodeError, ValueError) as error:
            chain.broken(f"can't be read ({driver_said(error)})")
            return
        if stored is None or not chain.take(stored):
            return


def _guard_faults(connection: sa.Connection) -> list[str]:
    """Sentences on triggers that are missing or switched off in PostgreSQL."""
    if not sa.inspect(connection).has_table(EVENTS.name):
        return ["The table of events is missing."]
    found = connection.exec_driver_sql(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'clearance_events'::regclass "
        "AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    missing = _POSTGRESQL_TRIGGERS - {row[0] for row in found}
    return [f"The trigger {name} is missing or switched off." for name in sorted(missing)]


def _checkpoints(
    file: Path | None, keys: Sequence[Ed25519PublicKey]
) -> tuple[list[Checkpoint], list[str], list[str]]:
    """Checkpoints that a trusted key signed, notes, and sentences on what is wrong in the file."""
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
    _, found, faults = read_lines(data)
    faults = [f"{file}: {fault}" for fault in faults]
    if not keys:
        said = f"The checkpoints in {file} were not verified; give the public key for that."
        return [], [said], faults
    wrong = signature_faults(found, keys)
    return ([] if wrong else found), [], faults + [f"{file}: {fault}" for fault in wrong]


def _held(chain: _Chain, own: Sequence[Checkpoint]) -> tuple[list[tuple[int, str]], int]:
    """Where the record is not what checkpoints saw (place, sentence), and to where it is."""
    missed: list[tuple[int, str]] = []
    covered = 0
    for one in own:
        if one.seq > chain.events:
            if chain.first_bad is None:
                said = (
                    f"Event {chain.events + 1} was removed: the end was cut off. Checkpoint "
                    f"{one.number} of {one.time} saw {one.seq:,} events."
                )
                missed.append((chain.events + 1, said))
            break
        if chain.hashes.get(one.seq) != one.hash:
            said = (
                f"Event {one.seq} is not the one that checkpoint {one.number} of {one.time} saw: "
                f"{_places(covered + 1, one.seq, 'of')} at least one was written anew."
            )
            missed.append((covered + 1, said))
            break
        covered = max(covered, one.seq)
    return missed, covered


def _places(first: int, last: int, form: str = "is") -> str:
    if form == "of":
        return f"of events {first:,} to {last:,}"
    return f"Event {first:,} is" if first == last else f"Events {first:,} to {last:,} are"
