"""Screening a drop: chains the steps, and is the one place that knows their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.environment import new_run_id, now
from pipeline.core.errors import DropError
from pipeline.core.layout import NAMES, RUN
from pipeline.core.records import Asset, Fault, RiskRow
from pipeline.decisions.state import Suppression
from pipeline.drops.drop import open_drop
from pipeline.drops.places import Place, absolute, is_inside, name_of
from pipeline.load.loaded import Loaded, LoadedScript
from pipeline.load.workers.pool import load_all
from pipeline.report.content import ContentCollector
from pipeline.report.page import ReportLimits, write_report
from pipeline.results.files import ResultFiles
from pipeline.results.object_results import results_folder
from pipeline.results.table import counts, write_tables
from pipeline.results.table_checks import FLAGGED
from pipeline.risk.bands import partly_judged
from pipeline.runtime.progress import Progress, silent
from pipeline.screening.config import Config, load_config
from pipeline.screening.recorded import NO_RECORD, read_record, write_decisions
from pipeline.screening.rows import Rows, facts_of
from pipeline.screening.run_record import run_info, run_manifest
from pipeline.screening.stage_runner import StageRunner, open_runners, run_stages_on_chunks
from pipeline.stages.text.scenes import WorkScenes, with_scenes
from reference_index.errors import IndexCorruptError
from reference_index.interface import Work
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class ScreenedRun:
    """A run that completed.

    Attributes:
        out: where its results lie.
        run: the contents of run.json.
        rows: the risk table's rows, by asset path.
        works: every work of the index, by work id.
    """

    out: Place
    run: dict[str, Any]
    rows: list[RiskRow]
    works: dict[str, Work]

    def summary(self) -> dict[str, Any]:
        """What `clearance screen --json` prints."""
        return {
            "run_id": self.run["run_id"],
            "files": self.run["files"],
            "counts": self.counts,
            "flagged_in_part": self.flagged_in_part,
            "suppressed": self.suppressed,
            "works": len(self.works),
            "index_version": self.run["index"]["version"],
            "config_fingerprint": self.run["config_fingerprint"],
            "not_run": self.run["not_run"],
            "out": str(self.out),
            "results": sorted([*self.run["outputs"], RUN]),
        }

    @property
    def flagged_in_part(self) -> int:
        """How many flagged rows were not screened in full: other evidence may be missing."""
        return sum(partly_judged(row) for row in self.rows if row.band in FLAGGED)

    @property
    def suppressed(self) -> int:
        """How many matches are suppressed, because people agreed that they are false."""
        return sum(row.suppressed for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by band, every band named."""
        return dict(self.run["counts"])


def check_places(drop: Place, index: Path, out: Place) -> None:
    """Sees that results and index do not lie in the drop, where they would be screened, nor the
    results in the index.

    Raises:
        DropError: if they do, or if `out` is a file.
    """
    for what, where in (("output folder", out), ("reference index", index)):
        if is_inside(where, drop):
            raise DropError(
                f"The {what} {where} lies inside the drop {drop} and would be screened with it; "
                "choose a place outside the drop."
            )
    if is_inside(out, index):
        raise DropError(
            f"The output folder {out} lies inside the reference index {index}; choose a place "
            "outside it."
        )
    if absolute(drop) in {absolute(out / name) for name in NAMES}:
        raise DropError(
            f"The drop {drop} would be overwritten by the results of that name in {out}; choose "
            "another output folder."
        )
    if isinstance(out, Path) and out.exists() and not out.is_dir():
        raise DropError(f"The output {out} is a file; name a folder.")


@dataclass(frozen=True)
class Judged:
    """A row of the risk table with the asset it was made from, None if it did not load."""

    row: RiskRow
    loaded: Loaded | None


def screen_assets(
    assets: Iterable[Asset],
    index: ReferenceIndex,
    runners: list[StageRunner],
    config: Config,
    suppressions: Sequence[Suppression] = (),
) -> Iterator[Judged]:
    """Every asset's row, in order; memory holds three chunks of assets at most."""
    rows = Rows(index, runners, config, suppressions)
    works = WorkScenes(index)
    chunks = load_all(assets, config.limits, lambda asset: asset)
    for asset, loaded, found in run_stages_on_chunks(chunks, runners):
        outcomes = with_scenes(found, loaded, works) if isinstance(loaded, LoadedScript) else found
        row = rows.row(asset, facts_of(loaded), outcomes)
        yield Judged(row, None if isinstance(loaded, Fault) else loaded)


def screen(
    drop: Place,
    index_path: Path,
    out: Place,
    *,
    config: Path | Config | None = None,
    index_version: int | None = None,
    record: str | Path | None = None,
    progress: Progress = silent,
) -> ScreenedRun:
    """Screens every file of `drop` against the index and writes the results to `out`.

    Every file discovered becomes exactly one row. `index_version` names an earlier version of the
    index, to repeat a run. Results of an earlier run in `out` stay whole
    until the new ones are complete. Drop and output may lie in object storage
    (`pipeline.drops.places.place` makes a place of an s3:// URL). `record` is a record of
    decisions: matches that people agreed are false are suppressed by it.

    Raises:
        DropError: if the drop or the output folder can't be used.
        ConfigError: if the configuration can't be used.
        ReferenceIndexError: if the index can't be read, or not with what is installed.
        RecordError: if there is no such record, it can't be read, or it was altered.
    """
    started = now()
    settings = config if isinstance(config, Config) else load_config(config)
    recorded = read_record(record) if record is not None else NO_RECORD
    index = ReferenceIndex.open(index_path, index_version)
    check_places(drop, index_path, out)
    faults = index.verify()
    if faults:
        # A fingerprint with a flipped bit finds nothing, and would say so of a copy.
        raise IndexCorruptError(
            f"The index {index_path} is damaged and was not screened against ({faults[0]}); run "
            f"`clearance index verify {index_path}`, and restore it from a copy."
        )
    runners = open_runners(index, settings.stage_settings)
    with (
        open_drop(drop, settings.limits.max_file_bytes, settings.object_storage) as source,
        results_folder(out, settings.object_storage) as folder,
        ResultFiles(folder) as files,
    ):
        entries = []
        for entry in source.list_entries():
            entries.append(entry)
            progress("Listing the drop", len(entries), None)
        rows: list[RiskRow] = []
        collector = ContentCollector(settings.report.max_rows if settings.report.thumbnails else 0)
        for judged in source.rows(
            entries,
            lambda assets: screen_assets(assets, index, runners, settings, recorded.suppressions),
        ):
            rows.append(judged.row)
            collector.add(judged.row, judged.loaded)
            progress("Screening", len(rows), len(entries))
        info = run_info(new_run_id(), name_of(drop), started, index, settings)
        works = {work.work_id: work for work in index.works}
        built = write_tables(files, rows, info, works, discovered=len(entries))
        write_decisions(files, built.risk, recorded)
        write_report(
            files,
            run=info,
            rows=rows,
            works=works,
            content=collector.content(rows, index),
            limits=ReportLimits(max_rows=settings.report.max_rows),
        )
        run = {
            "drop": absolute(drop),
            "record": {**recorded.to_json(), "suppressed": sum(row.suppressed for row in rows)},
            **run_manifest(info, index, settings, runners, len(rows), counts(rows)),
        }
        run["outputs"] = dict(files.digests)
        files.write_json(RUN, run)
    return ScreenedRun(out, run, rows, works)
