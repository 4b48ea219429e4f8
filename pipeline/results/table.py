"""The tables of a run: their schemas, their checks and their writers (docs/risk-table.md).

`risk_table.parquet` holds one row for each file discovered, `matches.parquet` one for each asset
and work with any evidence, `passages.parquet` one for each pair of overlapping passages. Columns
for stages come from the registry, so a new stage needs no line here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.layout import MATCHES, PASSAGES, RISK_CSV, RISK_TABLE
from pipeline.core.records import Band, Match, RiskRow, StageOutcome
from pipeline.core.wording.safe_csv import write_csv
from pipeline.results.files import ResultFiles, RunInfo
from pipeline.results.table_checks import Cells, TableError, row_faults, table_faults
from pipeline.risk.fuse import IDENTICAL_FILE
from pipeline.stages import STAGES, Measure
from reference_index.interface import Work

__all__ = [
    "Tables",
    "counts",
    "match_schema",
    "passage_schema",
    "risk_table_schema",
    "tables",
    "urgency",
    "write_tables",
]

_TYPES = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "str": pa.string()}


def measures_of(of: str) -> list[Measure]:
    """Every registered stage's measures of a `match` or an `asset`, in the order of columns."""
    return [m for stage in STAGES.values() for m in stage.measures if m.of == of]


def contribution_names() -> list[str]:
    """What may contribute to a risk: every registered stage, then identity of bytes."""
    return [*STAGES, IDENTICAL_FILE]


def _column(name: str, dtype: str, *, always: bool = False) -> pa.Field:
    return pa.field(name, _TYPES[dtype], nullable=not always)


def risk_table_schema() -> pa.Schema:
    """Columns of risk_table.parquet and risk_table.csv, in order."""
    stages = [_column(m.name, m.dtype) for stage in STAGES.values() for m in stage.measures]
    outcomes = [
        field
        for name in STAGES
        for field in (
            _column(f"outcome_{name}", "str", always=True),
            _column(f"outcome_reason_{name}", "str"),
            _column(f"outcome_detail_{name}", "str"),
        )
    ]
    return pa.schema(
        [
            _column("asset_path", "str", always=True),
            _column("asset_id", "str"),
            _column("kind", "str", always=True),
            _column("band", "str", always=True),
            _column("risk", "float"),
            _column("work_id", "str"),
            _column("title", "str"),
            _column("rightsholder", "str"),
            _column("rights", "str"),
            _column("reasons", "str", always=True),
            _column("other_works", "int", always=True),
            _column("suppressed_works", "int", always=True),
            *stages,
            *outcomes,
            *(_column(f"contribution_{name}", "float") for name in contribution_names()),
            _column("identical_file", "bool"),
            _column("likeness_only", "bool"),
            _column("works_compared", "int", always=True),
            _column("format", "str"),
            _column("size", "int"),
            _column("index_version", "int", always=True),
            _column("index_digest", "str", always=True),
            _column("config_fingerprint", "str", always=True),
            _column("run_id", "str", always=True),
        ]
    )


def match_schema() -> pa.Schema:
    """Columns of matches.parquet, in order."""
    return pa.schema(
        [
            _column("asset_path", "str", always=True),
            _column("asset_id", "str"),
            _column("work_id", "str", always=True),
            _column("risk", "float", always=True),
            *(_column(m.name, m.dtype) for m in measures_of("match")),
            *(_column(f"contribution_{name}", "float") for name in contribution_names()),
            *(_column(f"work_file_{name}", "str") for name in STAGES),
            _column("identical_file", "bool", always=True),
            _column("likeness_only", "bool", always=True),
            _column("title", "str", always=True),
            _column("rightsholder", "str", always=True),
            _column("rights", "str", always=True),
            _column("rank", "int", always=True),
            _column("band", "str"),
            _column("suppressed", "bool", always=True),
            _column("suppressed_by", "str"),
        ]
    )


def passage_schema() -> pa.Schema:
    """Columns of passages.parquet, in order."""
    return pa.schema(
        [
            _column("asset_path", "str", always=True),
            _column("work_id", "str", always=True),
            _column("work_file", "str", always=True),
            _column("asset_start", "int", always=True),
            _column("asset_end", "int", always=True),
            _column("work_start", "int", always=True),
            _column("work_end", "int", always=True),
            _column("words", "int", always=True),
            _column("identity", "float", always=True),
            _column("asset_id", "str"),
            _column("longest", "int", always=True),
            _column("score", "float", always=True),
            _column("chains", "int", always=True),
            _column("asset_share", "float", always=True),
            _column("work_share", "float", always=True),
            pa.field("agreeing", pa.list_(_AGREEING), nullable=False),
            _column("asset_scene", "str"),
            _column("asset_page", "int"),
            _column("work_scene", "str"),
            _column("work_page", "int"),
        ]
    )


_PLACES = ("asset_start", "asset_end", "work_start", "work_end")
_AGREEING = pa.struct([_column(name, "int", always=True) for name in _PLACES])
"""A run of agreeing words: character offsets in both texts."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The three tables of a run, built and checked.

    Attributes:
        risk: in `risk_table_schema()`, sorted by asset path.
        matches: in `match_schema()`, sorted by asset path, then strongest first.
        passages: in `passage_schema()`, sorted by asset path, then as the matches, then longest
            first.
    """

    risk: pa.Table
    matches: pa.Table
    passages: pa.Table


CHUNK_ROWS = 1024
"""Rows that are turned into columns at a time."""


def tables(
    rows: Iterable[RiskRow],
    run: RunInfo,
    works: Mapping[str, Work],
    *,
    discovered: int,
    counted: Callable[[], int] = int,
    in_order: bool = False,
) -> Tables:
    """The tables of a run.

    Args:
        rows: one for each file discovered, in any order.
        run: values of the run columns.
        works: every work of the index, by work id.
        discovered: how many files were discovered.
        counted: called when all rows were taken: how many of the files have no row, and are only
            counted in run.json (system files).
        in_order: whether the rows come sorted by asset path. They are then read one by one and need
            not all be in memory.

    Raises:
        TableError: if the tables would lose or contradict anything; every fault is listed.
    """
    if not in_order:
        rows = sorted(rows, key=lambda row: row.asset.asset_path)
    faults: list[str] = []
    schemas = (risk_table_schema(), match_schema(), passage_schema())
    builders = [_TableBuilder(schema) for schema in schemas]
    paths: list[str] = []
    source = iter(rows)
    while chunk := list(islice(source, CHUNK_ROWS)):
        risk, matches, passages = [], [], []
        for row in chunk:
            paths.append(row.asset.asset_path)
            faults += row_faults(row, works, run.prior)
            cells = Cells(row.asset.asset_path, faults)
            risk.append(_risk_record(row, run, works, cells))
            for rank, match in enumerate(row.matches, start=1):
                matches.append(_match_record(row, match, rank, works, cells))
                passages += _passage_records(row, match, cells)
        if not faults:
            for builder, records in zip(builders, (risk, matches, passages), strict=True):
                builder.add(records)
    faults = table_faults(paths, discovered - counted()) + faults
    if faults:
        raise TableError(faults)
    return Tables(*(builder.build() for builder in builders))


class StoredRows(NamedTuple):
    """What the tables store of one asset, by column: its row, its matches and their passages."""

    row: dict[str, Any]
    matches: list[dict[str, Any]]
    passages: list[dict[str, Any]]


def stored_rows(row: RiskRow, run: RunInfo, works: Mapping[str, Work]) -> StoredRows:
    """The rows that the tables store of one asset; values that `tables` refuses are None."""
    cells = Cells(row.asset.asset_path, [])
    matches = [
        _match_record(row, match, rank, works, cells)
        for rank, match in enumerate(row.matches, start=1)
    ]
    passages = [record for match in row.matches for record in _passage_records(row, match, cells)]
    (stored,) = _in_schema([_risk_record(row, run, works, cells)], risk_table_schema())
    return StoredRows(
        stored, _in_schema(matches, match_schema()), _in_schema(passages, passage_schema())
    )


def _in_schema(records: list[dict[str, object]], schema: pa.Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.Table.from_pylist(records, schema=schema).to_pylist()
    return rows


class _TableBuilder:
    """A table that grows by records, stored column by column."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns: list[list[pa.Array]] = [[] for _ in schema]

    def add(self, records: list[dict[str, object]]) -> None:
        table = pa.Table.from_pylist(records, schema=self._schema)
        for chunks, column in zip(self._columns, table.columns, strict=True):
            chunks.extend(column.chunks)

    def build(self) -> pa.Table:
        """The table; to be called once. Each column becomes one chunk, so that the same rows give
        the same bytes. The pieces of a column are freed before the next is built.
        """
        columns = []
        for field, chunks in zip(self._schema, self._columns, strict=True):
            column = pa.chunked_array(chunks, type=field.type)
            chunks.clear()
            columns.append(pa.table([column], names=[field.name]).combine_chunks().column(0))
        return pa.table(columns, schema=self._schema)


def _risk_record(
    row: RiskRow, run: RunInfo, works: Mapping[str, Work], cells: Cells
) -> dict[str, object]:
    asset, top = row.asset, row.strongest
    work = works.get(top.work_id) if top else None
    record: dict[str, object] = {
        "asset_path": cells.text("asset_path", asset.asset_path),
        "asset_id": asset.asset_id,
        "kind": str(asset.kind),
        "band": str(row.band),
        "risk": cells.number("risk", row.risk),
        "work_id": cells.text("work_id", top.work_id if top else None),
        **_work_columns(work, cells),
        "reasons": cells.text("reasons", " ".join(row.reasons)),
        "other_works": max(0, len(row.matches) - row.suppressed - 1),
        "suppressed_works": row.suppressed,
        # Unknown for bytes that could not be read.
        "identical_file": None
        if asset.asset_id is None
        else any(match.identical_file for match in row.matches),
        "likeness_only": top.likeness_only if top else None,
        "works_compared": row.works_compared,
        "format": cells.text("format", row.extra.get("format")),
        "size": asset.size,
        "index_version": run.index_version,
        "index_digest": run.index_digest,
        "config_fingerprint": run.config_fingerprint,
        "run_id": run.run_id,
    }
    record |= _match_columns(top, cells)
    for outcome in row.outcomes:
        record |= _outcome_columns(outcome, cells)
    return record


def _work_columns(work: Work | None, cells: Cells) -> dict[str, object]:
    return {
        "title": cells.text("title", work.title if work else None),
        "rightsholder": cells.text("rightsholder", work.rightsholder if work else None),
        "rights": cells.text("rights", work.rights if work else None),
    }


def _match_columns(match: Match | None, cells: Cells) -> dict[str, object]:
    if match is None:
        return {}
    record = cells.measures(match.measures, measures_of("match"))
    known = contribution_names()
    for name, added in match.contributions.items():
        if name in known:
            record[f"contribution_{name}"] = cells.number(f"contribution_{name}", added)
        else:
            cells.fault(f"has a contribution of {name}, which is no stage")
    return record


def _outcome_columns(outcome: StageOutcome, cells: Cells) -> dict[str, object]:
    name = outcome.stage
    stage = STAGES.get(name)
    own = [m for m in stage.measures if m.of == "asset"] if stage else []
    return {
        f"outcome_{name}": str(outcome.outcome),
        f"outcome_reason_{name}": str(outcome.reason) if outcome.reason else None,
        f"outcome_detail_{name}": cells.text(f"outcome_detail_{name}", outcome.detail or None),
        **cells.measures(outcome.facts, own),
    }


def _match_record(
    row: RiskRow, match: Match, rank: int, works: Mapping[str, Work], cells: Cells
) -> dict[str, object]:
    return {
        "asset_path": cells.text("asset_path", row.asset.asset_path),
        "asset_id": row.asset.asset_id,
        "work_id": cells.text("work_id", match.work_id),
        "risk": cells.number("risk", match.risk),
        "identical_file": match.identical_file,
        "likeness_only": match.likeness_only,
        **_work_columns(works.get(match.work_id), cells),
        "rank": rank,
        "band": str(match.band) if match.band is not None else None,
        "suppressed": match.suppressed,
        "suppressed_by": " ".join(match.suppressed_by) or None,
        **_match_columns(match, cells),
        **{f"work_file_{stage}": cells.text("", file) for stage, file in match.work_files.items()},
    }


def _passage_records(row: RiskRow, match: Match, cells: Cells) -> list[dict[str, object]]:
    return [
        {
            "asset_path": cells.text("asset_path", row.asset.asset_path),
            "work_id": cells.text("work_id", match.work_id),
            "work_file": cells.text("work_file", passage.work_file),
            "asset_start": cells.whole("asset_start", passage.asset_start),
            "asset_end": cells.whole("asset_end", passage.asset_end),
            "work_start": cells.whole("work_start", passage.work_start),
            "work_end": cells.whole("work_end", passage.work_end),
            "words": cells.whole("words", passage.words),
            "identity": cells.number("identity", passage.identity),
            "asset_id": row.asset.asset_id,
            "longest": cells.whole("longest", passage.longest),
            "score": cells.number("score", passage.score),
            "chains": cells.whole("chains", passage.chains),
            "asset_share": cells.number("asset_share", passage.asset_share),
            "work_share": cells.number("work_share", passage.work_share),
            "agreeing": [dict(zip(_PLACES, run, strict=True)) for run in passage.agreeing],
            "asset_scene": cells.text("asset_scene", passage.asset_scene),
            "asset_page": cells.whole("asset_page", passage.asset_page),
            "work_scene": cells.text("work_scene", passage.work_scene),
            "work_page": cells.whole("work_page", passage.work_page),
        }
        for passage in match.passages
    ]


def write_tables(
    files: ResultFiles,
    rows: Iterable[RiskRow],
    run: RunInfo,
    works: Mapping[str, Work],
    *,
    discovered: int,
    counted: Callable[[], int] = int,
    in_order: bool = False,
) -> Tables:
    """Writes risk_table.parquet, risk_table.csv, matches.parquet and passages.parquet.

    The same rows and run give the same bytes. Arguments as of `tables`.

    Raises:
        TableError: as `tables`; nothing is written then.
        DropError: if a file can't be written.
    """
    built = tables(rows, run, works, discovered=discovered, counted=counted, in_order=in_order)
    for name, table in (
        (RISK_TABLE, built.risk),
        (MATCHES, built.matches),
        (PASSAGES, built.passages),
    ):
        _write_parquet(files, name, table)
    _write_csv(files, RISK_CSV, built.risk)
    return built


def write_table_and_csv(files: ResultFiles, table: pa.Table, parquet: str, csv: str) -> None:
    """Writes one table under two names, as Parquet and as CSV.

    Raises:
        DropError: if a file can't be written.
    """
    _write_parquet(files, parquet, table)
    _write_csv(files, csv, table)


def _write_parquet(files: ResultFiles, name: str, table: pa.Table) -> None:
    """Writes Parquet, zstd; the same table gives the same bytes."""
    with files.new(name) as file:
        pq.write_table(table, file, compression="zstd", version="2.6")


def _write_csv(files: ResultFiles, name: str, table: pa.Table) -> None:
    with files.new(name) as file:
        write_csv(table, file)


def urgency(row: RiskRow) -> tuple[int, float, str]:
    """Sort key, most urgent rows first: by band, then risk, then path."""
    return list(Band).index(row.band), -(row.risk or 0.0), row.asset.asset_path


def counts(rows: Iterable[RiskRow]) -> dict[str, int]:
    """How many rows are in each band, most urgent first; every band is a key."""
    by_band = Counter(row.band for row in rows)
    return {band.value: by_band[band] for band in Band}


def flagged(rows: Sequence[RiskRow]) -> list[RiskRow]:
    """The rows with evidence (`escalate`, `review`, `info`), most urgent first."""
    with_evidence = (Band.ESCALATE, Band.REVIEW, Band.INFO)
    return sorted((row for row in rows if row.band in with_evidence), key=urgency)
