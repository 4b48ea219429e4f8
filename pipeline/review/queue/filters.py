"""The queue's filters, from and to a query string."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from urllib.parse import parse_qsl, urlencode

from pipeline.core.records import Band, Outcome
from pipeline.core.wording.text import listed, visible
from pipeline.decisions.events import Choice
from pipeline.decisions.state import State
from pipeline.stages import STAGES

SORTS = ("urgency", "path", "risk", "work", "rightsholder", "folder", "status", "assignee")
MATCHED = str(Outcome.MATCHED)
LONGEST = 500
NOBODY = "-"
"""As an assignee or a work: none."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows the queue shows, and in which order.

    Attributes:
        band, status, choice: rows with one of these; empty for all.
        stage, outcome: rows with that outcome of that stage.
        work_id, rightsholder, assignee: rows with this one; `-` for rows without; empty for all.
        folder: rows in this folder or below it.
        asset_id: rows of files with these bytes.
        q: words that must all occur in the path, the work's id or title, or the rightsholder.
        sort, order: a name of `SORTS`; `asc` or `desc`.
    """

    band: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    stage: str = ""
    outcome: str = MATCHED
    work_id: str = ""
    rightsholder: str = ""
    folder: str = ""
    assignee: str = ""
    asset_id: str = ""
    q: str = ""
    sort: str = "urgency"
    order: str = "asc"

    @classmethod
    def of_query(cls, pairs: Iterable[tuple[str, str]]) -> Filters:
        """From a query string's pairs; unknown names and values are ignored, and `unknown_parts`
        says which.
        """
        values_of: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                values_of.setdefault(name, []).append(value[:LONGEST])
        last = {name: values[-1] for name, values in values_of.items()}
        return cls(
            band=_known(values_of.get("band", ()), Band),
            status=_known(values_of.get("status", ()), State),
            choice=_known(values_of.get("choice", ()), Choice),
            stage=last.get("stage", "") if last.get("stage") in STAGES else "",
            outcome=(_known([last.get("outcome", "")], Outcome) or (MATCHED,))[0],
            work_id=last.get("work_id", ""),
            rightsholder=last.get("rightsholder", ""),
            folder=last.get("folder", "").strip("/"),
            assignee=last.get("assignee", ""),
            asset_id=last.get("asset_id", ""),
            q=last.get("q", "").strip(),
            sort=last["sort"] if last.get("sort") in SORTS else "urgency",
            order="desc" if last.get("order") == "desc" else "asc",
        )

    @classmethod
    def of_string(cls, query: str) -> Filters:
        """From a query string in a form field; an unreadable one filters nothing."""
        return cls.of_query(_parsed(query) or ())

    def pairs(self) -> list[tuple[str, str]]:
        """The values that differ from their defaults, as pairs of a query string."""
        pairs: list[tuple[str, str]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                pairs += [(field.name, one) for one in value]
            elif value != field.default and not (field.name == "outcome" and not self.stage):
                pairs.append((field.name, value))
        return pairs

    def query(self, **changes: object) -> str:
        """The query string, with changes; empty if nothing is filtered."""
        return urlencode(self.but(**changes).pairs())

    def but(self, **changes: object) -> Filters:
        """These filters with changes."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def toggled(self, name: str, value: str) -> str:
        """The query string with a value of `band`, `status` or `choice` added, or removed."""
        values: tuple[str, ...] = getattr(self, name)
        removed = tuple(one for one in values if one != value)
        return self.query(**{name: removed if value in values else (*values, value)})

    @property
    def active(self) -> list[tuple[str, str, str]]:
        """Each filter that is on: its name, its value, and the query string without it."""
        active = []
        for name, value in self.pairs():
            if name in ("sort", "order", "outcome"):
                continue
            single = isinstance(getattr(self, name), str)
            without = self.query(**{name: ""}) if single else self.toggled(name, value)
            active.append((name, value, without))
        return active

    def described(self) -> str:
        """The filters in one line, as stored in the note of a bulk decision."""
        grouped: dict[str, list[str]] = {}
        for name, value in self.pairs():
            if name not in ("sort", "order"):
                grouped.setdefault(name, []).append(value)
        return "; ".join(f"{name}: {', '.join(values)}" for name, values in grouped.items())


def unknown_parts(pairs: Iterable[tuple[str, str]], others: Collection[str] = ()) -> list[str]:
    """A sentence for each part of a query string that is no filter, or no value of one.

    Such a part filters nothing. A person who is not told would take the rows for those that they
    asked for.

    Args:
        pairs: of the query string.
        others: names of parameters that are no filters.
    """
    known: dict[str, tuple[str, Collection[str]]] = {
        "band": ("band", [str(one) for one in Band]),
        "status": ("status", [str(one) for one in State]),
        "choice": ("decision", [str(one) for one in Choice]),
        "stage": ("stage", list(STAGES)),
        "outcome": ("outcome", [str(one) for one in Outcome]),
        "sort": ("order of the rows", SORTS),
        "order": ("direction", ("asc", "desc")),
    }
    names = {field.name for field in fields(Filters)}
    sentences: list[str] = []
    for name, value in pairs:
        if name not in names and name not in others:
            sentences.append(f"There is no filter “{_short(name)}”, so it was left out.")
        elif value and name in known and value not in known[name][1]:
            what, values = known[name]
            sentences.append(
                f"There is no {what} “{_short(value)}”, so it was left out; there are "
                f"{listed(list(values))}."
            )
    return list(dict.fromkeys(sentences))


def unknown_parts_of_string(query: str) -> list[str]:
    """`unknown_parts` of a query string in a form field."""
    pairs = _parsed(query)
    return ["The filter can't be read."] if pairs is None else unknown_parts(pairs)


def _parsed(query: str) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(query[:8000], max_num_fields=100)
    except ValueError:
        return None


def _short(value: str) -> str:
    return visible(value if len(value) <= 60 else value[:60] + "…")


def _known(values: Sequence[str], kind: type[Band | State | Choice | Outcome]) -> tuple[str, ...]:
    names = [str(one) for one in kind]
    return tuple(dict.fromkeys(value for value in values if value in names))
