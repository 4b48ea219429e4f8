"""The matches of a stored run that rules of the record suppress, now or in its next run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.records import Band
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.selection import FolderSelection
from pipeline.decisions.standing import Standing, Standings, Status
from pipeline.results.files import StoredRun
from pipeline.results.inputs import searched_index, work_aliases
from pipeline.risk.suppression import RuleCover, work_columns

Rule = Standing[SuppressionRule]
Ruled = Mapping[str, Mapping[str, Rule]]
"""By asset path, then work id, the rule that suppresses a match."""

_IN_TABLE = ("title", "rightsholder", "rights")


def rules_that_suppressed(matches: pa.Table, standings: Standings, day: str) -> Ruled:
    """The rules that suppressed matches when a run was written, and count on a day.

    Args:
        matches: matches.parquet; one of an earlier release has no rules.
        standings: of the record.
        day: UTC, as `2027-01-31`.
    """
    ruled: dict[str, dict[str, Rule]] = {}
    rules = {one.event_id: one for one in standings.rules if one.status(day) is Status.ACTIVE}
    if not rules or "suppressed_by" not in matches.column_names:
        return ruled
    wanted = matches.filter(pc.is_valid(matches.column("suppressed_by")))
    for row in wanted.select(["asset_path", "work_id", "suppressed_by"]).to_pylist():
        rule = next((rules[one] for one in row["suppressed_by"].split() if one in rules), None)
        if rule is not None:
            ruled.setdefault(row["asset_path"], {})[row["work_id"]] = rule
    return ruled


def works_of_rules(
    matches: pa.Table, standings: Standings, aliases: Mapping[str, str] | None = None
) -> dict[str, dict[str, tuple[Rule, ...]]]:
    """By asset path, then work id, the rules that suppressed each match of a run when it was
    written; those matches alone that no false match suppressed, and none in a table of an earlier
    release.

    Args:
        matches: matches.parquet.
        standings: of the record, that says which events are rules.
        aliases: by former id of a work, its present id.
    """
    ruled: dict[str, dict[str, tuple[Rule, ...]]] = {}
    rules = {one.event_id: one for one in standings.rules}
    if not rules or "suppressed_by" not in matches.column_names:
        return ruled
    columns = matches.filter(pc.is_valid(matches.column("suppressed_by")))
    for row in columns.select(["asset_path", "work_id", "suppressed_by"]).to_pylist():
        names = row["suppressed_by"].split()
        if all(name in rules for name in names):
            work_id = (aliases or {}).get(row["work_id"], row["work_id"])
            of_path = ruled.setdefault(row["asset_path"], {})
            of_path[work_id] = tuple(rules[name] for name in names)
    return ruled


class RunRules:
    """Which matches of a stored run rules cover, whether or not they did when it was written.

    Args:
        stored: the run.
    """

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored
        self._aliases = work_aliases(stored.run)

    def ruled(self, standings: Standings, day: str) -> Ruled:
        """The matches that rules suppress on a day, by those that count then."""
        active = [one for one in standings.rules if one.status(day) is Status.ACTIVE]
        if not active:
            return {}
        found = rules_that_suppressed(self._stored.match_rows, standings, day)
        ruled = {path: dict(works) for path, works in found.items()}
        cover = RuleCover(active, self._works_for(one.payload for one in active), self._aliases)
        for path, works in self._works_of_path.items():
            covered = cover.rules_on(path, works)
            if covered:
                ruled[path] = {**covered, **ruled.get(path, {})}
        return ruled

    def covers(self, rule: SuppressionRule, asset_path: str, work_id: str) -> bool:
        """Whether a rule covers a match of the run; not if it can't be told, as for `counts`."""
        works = self._works_for([rule])
        return work_id in rule.works.among(works, self._aliases) and rule.assets.covers(asset_path)

    def columns(self, work_id: str) -> Mapping[str, str]:
        """The columns of a work by which a rule may choose it, as far as the table has them."""
        return self._table_works.get(work_id, {})

    def counts(self, rule: SuppressionRule) -> dict[Band, int] | None:
        """How many matches a rule covers, by the band of each match without any suppression.

        None if it can't be told: the rule is on a column of the manifest, and the index that was
        searched is not there any more.
        """
        works = self._works_for([rule])
        if rule.works.column not in ("", *_IN_TABLE) and self._index_works is None:
            return None
        chosen = rule.works.among(works, self._aliases)
        numbers = Counter(
            Band(band)
            for path, of_path in self._works_of_path.items()
            if not chosen.isdisjoint(of_path) and rule.assets.covers(path)
            for work_id, band in of_path.items()
            if work_id in chosen
        )
        return {band: numbers[band] for band in Band if numbers[band]}

    def under_present_ids(self, rule: SuppressionRule) -> SuppressionRule:
        """The rule with the id that each work had in the index that the run searched."""
        ids = tuple(dict.fromkeys(self._aliases.get(one, one) for one in rule.works.work_ids))
        return replace(rule, works=replace(rule.works, work_ids=ids))

    def hints(self, rule: SuppressionRule) -> list[str]:
        """A sentence for each work id, column and folder that may be mistyped: the index that was
        searched has no such work or column, or no file of the run lies in the folder. Of works and
        columns nothing is said if the index is not there any more.
        """
        hints, works = [], self._index_works
        if works is not None:
            for work_id in self.under_present_ids(rule).works.work_ids:
                if work_id not in works:
                    hints.append(f"The index has no work “{work_id}”{_nearest(work_id, works)}.")
            columns = {name for of_work in works.values() for name in of_work}
            column = rule.works.column
            if column and column not in columns:
                hints.append(f"No work has a column “{column}”{_nearest(column, columns)}.")
        paths = self._stored.risk_rows.column("asset_path").to_pylist()
        for folder in rule.assets.folders:
            one = FolderSelection((folder,))
            if not any(one.covers(path) for path in paths):
                hints.append(f"No file of these results lies in “{folder}”.")
        return hints

    @cached_property
    def _works_of_path(self) -> dict[str, dict[str, str]]:
        """By asset path, the works of its matches with the band of each match, or that of the row
        in a run of an earlier release, which has none.
        """
        risk, found = self._stored.risk_rows, dict[str, dict[str, str]]()
        paths = risk.column("asset_path").to_pylist()
        bands = dict(zip(paths, risk.column("band").to_pylist(), strict=True))
        table = self._stored.match_rows
        names = [name for name in ("asset_path", "work_id", "band") if name in table.column_names]
        for row in table.select(names).to_pylist():
            path = row["asset_path"]
            found.setdefault(path, {})[row["work_id"]] = row.get("band") or bands[path]
        return found

    def _works_for(self, rules: Iterable[SuppressionRule]) -> Mapping[str, Mapping[str, str]]:
        """By work id, the columns that these rules ask for. The index is opened only for columns
        that the table of matches lacks.
        """
        in_table = all(one.works.column in ("", *_IN_TABLE) for one in rules)
        if in_table or self._index_works is None:
            return self._table_works
        return self._index_works

    @cached_property
    def _table_works(self) -> dict[str, dict[str, str]]:
        rows = self._stored.match_rows.select(["work_id", *_IN_TABLE])
        unique = rows.group_by("work_id", use_threads=False).aggregate(
            [(name, "first") for name in _IN_TABLE]
        )
        return {
            row["work_id"]: {name: row[f"{name}_first"] or "" for name in _IN_TABLE}
            for row in unique.to_pylist()
        }

    @cached_property
    def _index_works(self) -> dict[str, dict[str, str]] | None:
        index = searched_index(self._stored.run)
        if index is None:
            return None
        return {work.work_id: work_columns(work) for work in index.works}


def _nearest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(names), 1, 0.5)
    return f"; the nearest is “{near[0]}”" if near else ""
