"""Filters that people named: a file beside the record, their own and those for everybody.

The record itself holds what was decided and nothing else. The file is read anew whenever it is
asked for, so that two servers on one record show the same, and written in one step under a lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import RecordError
from pipeline.decisions.texts import person_name, same_person
from pipeline.review.queue.filters import Filters
from reference_index.atomic_write import write_atomically

MOST = 500
"""Saved filters of all people together."""

LONGEST_NAME = 80
MAX_BYTES = 5_000_000
_VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter with a name.

    Attributes:
        name: as its maker wrote it.
        query: the filter as a query string.
        by: who saved it.
        shared: whether everybody has it, or only its maker.
    """

    name: str
    query: str
    by: str
    shared: bool


class SavedFilters:
    """The saved filters of a page; thread-safe.

    Args:
        file: where they are kept; None if there is no place for them.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def of(self, person: str) -> tuple[SavedFilter, ...]:
        """A person's own filters and the shared ones, by name.

        Raises:
            RecordError: if the file can't be read.
        """
        found = [one for one in self._read() if one.shared or same_person(one.by, person)]
        return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.shared)))

    def save(self, person: str, name: str, filters: Filters, *, shared: bool) -> SavedFilter:
        """Saves a filter; it takes the place of the person's own one of that name.

        Raises:
            RecordError: if the name can't be used, the filter filters nothing, somebody else shares
                one of that name, there are too many, or the file can't be written.
        """
        name = person_name(name, what="The name of the filter")
        if len(name) > LONGEST_NAME:
            raise RecordError(f"The name of a filter has at most {LONGEST_NAME} characters.")
        if not filters.query():
            raise RecordError("Nothing is filtered, so there is nothing to save.")
        saved = SavedFilter(name, filters.query(), person, shared)

        def with_it(others: list[SavedFilter]) -> list[SavedFilter]:
            if shared and any(_is_shared_by_another(one, saved) for one in others):
                raise RecordError(
                    f"Somebody else shares a filter “{name}” already; give it another name."
                )
            kept = [one for one in others if not _is_same(one, saved)]
            if len(kept) >= MOST:
                raise RecordError(f"There are {MOST} saved filters; delete one of them first.")
            return [*kept, saved]

        self._change(with_it)
        return saved

    def delete(self, person: str, name: str, *, shared: bool, anybodys: bool = False) -> None:
        """Deletes a filter of a person's own, or one that is shared.

        Args:
            person: who deletes it.
            name: of the filter.
            shared: whether it is shared.
            anybodys: whether they may delete what others share.

        Raises:
            RecordError: if there is no such filter of theirs, or the file can't be written.
        """

        def without_it(others: list[SavedFilter]) -> list[SavedFilter]:
            kept = [
                one
                for one in others
                if one.name != name
                or one.shared != shared
                or not (same_person(one.by, person) or (shared and anybodys))
            ]
            if len(kept) == len(others):
                raise RecordError(f"There is no filter “{name}” that you may delete.")
            return kept

        self._change(without_it)

    def _read(self) -> list[SavedFilter]:
        if self.file is None:
            return []
        try:
            with self.file.open("rb") as stream:
                return _parsed(stream.read(MAX_BYTES + 1))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RecordError(
                f"The saved filters {self.file} can't be read ({error.strerror})."
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RecordError(
                f"{self.file} is not a file of saved filters ({error}): mend it, or move it away."
            ) from error

    def _change(self, changed: Callable[[list[SavedFilter]], list[SavedFilter]]) -> None:
        if self.file is None:
            raise RecordError(
                "There is no folder for saved filters here: start the page with --filters FILE."
            )
        try:
            with _locked(self.file.parent):
                filters: Sequence[SavedFilter] = changed(self._read())
                value = {"version": _VERSION, "filters": [asdict(one) for one in filters]}
                text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
                write_atomically(self.file, text.encode())
        except OSError as error:
            raise RecordError(
                f"The saved filters can't be written to {self.file} ({error.strerror}): start the "
                "page with --filters FILE, in a folder that can be written to."
            ) from error


def _is_same(one: SavedFilter, other: SavedFilter) -> bool:
    alike = one.name == other.name and one.shared == other.shared
    return alike and same_person(one.by, other.by)


def _is_shared_by_another(one: SavedFilter, other: SavedFilter) -> bool:
    return one.shared and one.name == other.name and not same_person(one.by, other.by)


def _parsed(text: bytes) -> list[SavedFilter]:
    if len(text) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    stored = json.loads(text)
    if stored["version"] != _VERSION:
        raise ValueError(f"its version is {stored['version']!r}")
    return [_saved(one) for one in stored["filters"]]


def _saved(value: Any) -> SavedFilter:
    texts = (value["name"], value["query"], value["by"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(value["shared"], bool):
        raise TypeError("a filter with a value of another type")
    return SavedFilter(*texts, value["shared"])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits for other writers. The folder itself is locked: no further file is left in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
