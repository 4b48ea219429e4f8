"""What a rule or an approval is about: works, by id or by a column; assets, by folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline.core.errors import RecordError
from pipeline.decisions.texts import clean_text, stored_text, stored_texts

LONGEST_FOLDER = 1_000
MOST = 1_000
"""Most work ids of a rule, and most folders."""

_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class WorkSelection:
    """Works with one of some ids, or works of which a column has a value.

    Attributes:
        work_ids: ids; empty if a column selects.
        column: `rightsholder`, `rights`, `title`, or another column of the manifest.
        value: compared with the whole cell, ignoring case and the number of spaces.
    """

    work_ids: tuple[str, ...] = ()
    column: str = ""
    value: str = ""

    def among(
        self,
        works: Mapping[str, Mapping[str, str]],
        aliases: Mapping[str, str] | None = None,
    ) -> frozenset[str]:
        """Which of some works these are, by id.

        Args:
            works: by work id, the columns of the work by name; a column that is missing selects
                nothing.
            aliases: by former id of a work, its present id: a former one stands for the work.
        """
        if self.work_ids:
            present = aliases or {}
            return frozenset(present.get(one, one) for one in self.work_ids) & works.keys()
        value = _folded(self.value)
        return frozenset(
            work_id
            for work_id, columns in works.items()
            if (cell := columns.get(self.column)) is not None and _folded(cell) == value
        )

    @property
    def words(self) -> str:
        """As half a sentence: `the works w1 and w2`."""
        if not self.work_ids:
            return f"works whose {self.column} is “{self.value}”"
        shown = [f"“{one}”" for one in self.work_ids[:3]]
        more = len(self.work_ids) - len(shown)
        noun = "the work" if len(self.work_ids) == 1 else "the works"
        return f"{noun} {', '.join(shown)}" + (f" and {more:,} more" if more else "")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        if self.work_ids:
            return {"ids": list(self.work_ids)}
        return {"column": self.column, "value": self.value}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Self:
        """Back from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if it selects nothing, or is no such value.
        """
        if "ids" in value:
            selection = cls(stored_texts(value["ids"], "a work id"))
        else:
            selection = cls(
                (), stored_text(value["column"], "a column"), stored_text(value["value"], "it")
            )
        if not selection.work_ids and not (selection.column and selection.value):
            raise ValueError("a rule on no work")
        return selection

    @classmethod
    def of(cls, work_ids: Sequence[str] = (), column: str = "", value: str = "") -> Self:
        """A selection from what a person entered.

        Raises:
            RecordError: if it selects nothing, or by ids and by a column.
        """
        ids = tuple(dict.fromkeys(clean_text(one, "work id") for one in work_ids))
        column, value = clean_text(column, "column"), clean_text(value, "value")
        if bool(ids) == bool(column):
            raise RecordError(
                "A rule names works by their ids, or by one column of the manifest and its value: "
                "one of the two."
            )
        if column and not value:
            raise RecordError(f"A rule on the column {column} needs the value that it has.")
        if "" in ids or len(ids) > MOST:
            raise RecordError(f"A rule names from 1 to {MOST:,} work ids, none of them empty.")
        return cls(ids, column, value)


@dataclass(frozen=True, slots=True)
class FolderSelection:
    """Assets by their path in the risk table.

    Attributes:
        folders: each a folder with everything below it, or one file. `*` and `?` stand for any
            characters, and one, within a name; `**` for any number of folders. Empty: every asset.
    """

    folders: tuple[str, ...] = ()

    def covers(self, asset_path: str) -> bool:
        """Whether an asset lies in one of the folders. Letter case counts."""
        if not self.folders:
            return True
        names = unicodedata.normalize("NFC", asset_path).split("/")
        return any(_below(one.split("/"), names) for one in self.folders)

    @property
    def words(self) -> str:
        """As half a sentence: `in ep01`, or `in any asset`."""
        if not self.folders:
            return "in every asset"
        return "in " + ", ".join(f"“{one}”" for one in self.folders)

    @classmethod
    def of(cls, folders: Sequence[str] = ()) -> Self:
        """A selection from what a person entered.

        Raises:
            RecordError: if one is no folder as the risk table has it.
        """
        return cls(tuple(dict.fromkeys(map(_folder, folders))))

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """From a list of folders.

        Raises:
            TypeError, ValueError: if it is no such list.
        """
        return cls(stored_texts(value, "a folder"))


def _folder(folder: str) -> str:
    text = unicodedata.normalize("NFC", clean_text(folder, "folder"))
    names = text.removesuffix("/").split("/")
    if len(text) > LONGEST_FOLDER:
        raise RecordError(f"A folder of a rule has at most {LONGEST_FOLDER:,} characters.")
    if "" in names or "." in names or ".." in names or "\n" in text:
        raise RecordError(
            f"{folder!r} is no folder of the risk table: give the first part of asset_path, such "
            "as ep01/shots, with / between the names; leave it out for every asset."
        )
    return "/".join(names)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _below(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the names begin with what the pattern stands for."""
    return _stands_for([*pattern, _ANY_DEPTH], names, _ANY_DEPTH, _name_fits)


def _name_fits(pattern: str, name: str) -> bool:
    return _stands_for(pattern, name, "*", lambda one, other: one in ("?", other))


def _stands_for(pattern: Sequence[str], items: Sequence[str], star: str, fits: Any) -> bool:
    """Whether a pattern with stars stands for all items; time is the product of both lengths.

    It goes back to the last star only, so that no pattern takes exponential time.
    """
    at = star_at = -1
    at, item, resume = 0, 0, 0
    while item < len(items):
        if at < len(pattern) and pattern[at] == star:
            star_at, resume = at, item
            at += 1
        elif at < len(pattern) and fits(pattern[at], items[item]):
            at, item = at + 1, item + 1
        elif star_at >= 0:
            resume += 1
            at, item = star_at + 1, resume
        else:
            return False
    return all(one == star for one in pattern[at:])
