"""The queue's filters as they stand in a query string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from pipeline.core.records import Band, Outcome
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
    """Which rows are shown, and in which order.

    Attributes:
        band, status, choice: any of these; empty for all.
        stage, outcome: rows of which that stage said that.
        work_id, rightsholder, assignee: of these; `-` for rows without one; empty for all.
        folder: of this folder or below it.
        q: words that are all in the path, the work's id or title, or the rightsholder.
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
    q: str = ""
    sort: str = "urgency"
    order: str = "asc"

    @classmethod
    def of_query(cls, pairs: Iterable[tuple[str, str]]) -> Filters:
        """From a query string's pairs; what is unknown or means nothing is left out."""
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                given.setdefault(name, []).append(value[:LONGEST])
        one = {name: values[-1] for name, values in given.items()}
        return cls(
            band=_known(given.get("band", ()), Band),
            status=_known(given.get("status", ()), State),
            choice=_known(given.get("choice", ()), Choice),
            stage=one.get("stage", "") if one.get("stage") in STAGES else "",
            outcome=(_known([one.get("outcome", "")], Outcome) or (MATCHED,))[0],
            work_id=one.get("work_id", ""),
            rightsholder=one.get("rightsholder", ""),
            folder=one.get("folder", "").strip("/"),
            assignee=one.get("assignee", ""),
            q=one.get("q", "").strip(),
            sort=one["sort"] if one.get("sort") in SORTS else "urgency",
            order="desc" if one.get("order") == "desc" else "asc",
        )

    @classmethod
    def of_string(cls, query: str) -> Filters:
        """From a query string as a page carries it; one that can't be read filters nothing."""
        from urllib.parse import parse_qsl

        try:
            return cls.of_query(parse_qsl(query[:8000], max_num_fields=100))
        except ValueError:
            return cls()

    def pairs(self) -> list[tuple[str, str]]:
        """What differs from no filter, as a query string has it."""
        found: list[tuple[str, str]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                found += [(field.name, one) for one in value]
            elif value != field.default and not (field.name == "outcome" and not self.stage):
                found.append((field.name, value))
        return found

    def query(self, **changes: object) -> str:
        """The query string, with changes; empty if nothing is filtered."""
        return urlencode(self.but(**changes).pairs())

    def but(self, **changes: object) -> Filters:
        """These filters with changes."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def toggled(self, name: str, value: str) -> str:
        """The query string with a value of `band`, `status` or `choice` put in, or taken out."""
        now: tuple[str, ...] = getattr(self, name)
        kept = tuple(one for one in now if one != value) if value in now else (*now, value)
        return self.query(**{name: kept})

    @property
    def active(self) -> list[tuple[str, str, str]]:
        """Each filter that is on: its name, its value, and the query string without it."""
        found = []
        for name, value in self.pairs():
            if name in ("sort", "order", "outcome"):
                continue
            single = isinstance(getattr(self, name), str)
            without = self.query(**{name: ""}) if single else self.toggled(name, value)
            found.append((name, value, without))
        return found

    def described(self) -> str:
        """The filters in one line, as the record keeps them with a bulk decision."""
        pairs: Mapping[str, list[str]] = {}
        grouped: dict[str, list[str]] = dict(pairs)
        for name, value in self.pairs():
            if name not in ("sort", "order"):
                grouped.setdefault(name, []).append(value)
        return "; ".join(f"{name}: {', '.join(values)}" for name, values in grouped.items())


def _known(values: Sequence[str], kind: type[Band | State | Choice | Outcome]) -> tuple[str, ...]:
    names = [str(one) for one in kind]
    return tuple(dict.fromkeys(value for value in values if value in names))
