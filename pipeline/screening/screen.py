"""Screen a drop: the one place that knows the order of the steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.environment import new_run_id, now
from pipeline.core.errors import DropError
from pipeline.core.layout import NAMES, RUN
from pipeline.core.records import Asset, Band, Fault, RiskRow
from pipeline.decisions.places import RECORD
from pipeline.drops.drop import open_drop
from pipeline.drops.places import Place, absolute, is_inside, name_of
from pipeline.load.loaded import Loaded, LoadedScript
from pipeline.load.workers.pool import load_all
from pipeline.report.card import ContentCollector
from pipeline.report.page import ReportLimits, write_report
from pipeline.report.unscreened import reason_counts
from pipeline.results.earlier import room_for_results
from pipeline.results.files import ResultFiles
from pipeline.results.object_results import results_folder
from pipeline.results.table import Tables
from pipeline.results.table_checks import FLAGGED
from pipeline.risk.bands import partly_judged
from pipeline.runtime.progress import Progress, silent
from pipeline.screening.config import Config, load_config
from pipeline.screening.recorded import NO_RECORD, Recorded, read_record
from pipeline.screening.run_files import Rows, Run, SystemFiles, facts_of, run_info, write_run
from pipeline.screening.stage_runner import StageRunner, open_runners, run_stages, two_at_a_time
from pipeline.stages.text.elements import WorkScenes, with_scenes
from reference_index.errors import IndexCorruptError
from reference_index.interface import Work
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class ScreenedRun:
    """A run that completed.

    Attributes:
        out: where its results are.
        run: the contents of run.json.
        rows: the rows of the risk table, sorted by asset path.
        works: every work of the index, by work id.
        moved: the folder to which earlier results were moved, with people's decisions on them.
        record_not_used: the record of decisions at `out` if the run was told of none.
    """

    out: Place
    run: dict[str, Any]
    rows: list[RiskRow]
    works: dict[str, Work]
    moved: Path | None = None
    record_not_used: Path | None = None

    def summary(self) -> dict[str, Any]:
        """What `clearance screen --json` prints."""
        return {
            "run_id": self.run["run_id"],
            "files": self.run["files"],
            "counts": self.counts,
            "flagged_in_part": self.flagged_in_part,
            "system_files": self.run["system_files"],
            "not_screened_for": reason_counts(self.rows, Band.NOT_SCREENED),
            "suppressed": self.suppressed,
            "suppressed_by_rules": self.suppressed_by_rules,
            "works": len(self.works),
            "index_version": self.run["index"]["version"],
            "config_fingerprint": self.run["config_fingerprint"],
            "not_run": self.run["not_run"],
            "out": str(self.out),
            "moved": None if self.moved is None else str(self.moved),
            "record_not_used": None if self.record_not_used is None else str(self.record_not_used),
            "results": sorted([*self.run["outputs"], RUN]),
        }

    @property
    def flagged_in_part(self) -> int:
        """How many flagged rows were not screened in full, so that evidence may be missing."""
        return sum(partly_judged(row) for row in self.rows if row.band in FLAGGED)

    @property
    def suppressed(self) -> int:
        """How many matches are suppressed, by false matches and rules of the record."""
        return sum(row.suppressed for row in self.rows)

    @property
    def suppressed_by_rules(self) -> int:
        """How many of them are suppressed by rules, and by no false match."""
        return int(self.run["record"]["suppressed_by_rules"])

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are in each band; every band is a key."""
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
                f"The {what} {where} is inside the drop {drop} and would be screened with it; "
                "choose a place outside the drop."
            )
    if is_inside(out, index):
        raise DropError(
            f"The output folder {out} is inside the reference index {index}; choose a place "
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


def open_verified_index(path: Path, version: int | None = None, *, doing: str) -> ReferenceIndex:
    """Opens an index and checks its stored digests: a fingerprint with a flipped bit finds nothing,
    and a copy would pass for "no match".

    Args:
        path: of the index.
        version: an earlier version; None for the latest.
        doing: what it is opened for, for the message: `screened against`.

    Raises:
        IndexCorruptError: if it is damaged.
        ReferenceIndexError: if it can't be opened.
    """
    index = ReferenceIndex.open(path, version)
    faults = index.verify()
    if faults:
        raise IndexCorruptError(
            f"The index {path} is damaged and was not {doing} ({faults[0]}); run "
            f"`clearance index verify {path}`, and restore it from a copy."
        )
    return index


def screen_assets(
    assets: Iterable[Asset],
    index: ReferenceIndex,
    runners: list[StageRunner],
    config: Config,
    recorded: Recorded = NO_RECORD,
) -> Iterator[Judged]:
    """The row of each asset, in order; at most three chunks of assets are in memory."""
    rows = Rows(index, runners, config, recorded.suppressions, recorded.rules)
    works = WorkScenes(index)
    chunks = load_all(assets, config.limits, lambda asset: asset)
    for chunk in two_at_a_time(chunks, lambda chunk: list(run_stages(chunk, runners))):
        for asset, loaded, result in chunk:
            outcomes = (
                with_scenes(result, loaded, works) if isinstance(loaded, LoadedScript) else result
            )
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
    replace: bool = False,
    progress: Progress = silent,
) -> ScreenedRun:
    """Screens every file of a drop against an index and writes the results to `out`.

    Every file discovered becomes exactly one row. Results of an earlier run in `out` stay complete
    until the new ones are.

    Args:
        drop: folder, file or place in object storage (`pipeline.drops.places.place`).
        index_path: folder of the reference index.
        out: folder or place in object storage for the results.
        config: a configuration or its file; None for the default one.
        index_version: an earlier version of the index, to repeat a run; None for the latest.
        record: the record of decisions, whose false matches and rules suppress; None for none.
        replace: whether results of another drop at `out`, or files there that no run wrote, may be
            replaced; those with a record are moved aside (`pipeline.results.earlier`).
        progress: called as files are listed and screened.

    Raises:
        DropError: if the drop or the output folder can't be used.
        ConfigError: if the configuration can't be used.
        ReferenceIndexError: if the index can't be read, or not with what is installed.
        RecordError: if there is no such record, it can't be read, or it was altered.
    """
    started = now()
    settings = config if isinstance(config, Config) else load_config(config)
    check_places(drop, index_path, out)
    # The working folder and what a link leads to may be moved: their names must stay.
    target = out.resolve() if isinstance(out, Path) else out
    with (
        room_for_results(out, drop, settings.object_storage, replace=replace) as moved,
        results_folder(target, settings.object_storage) as folder,
        ResultFiles(folder) as files,
        ExitStack() as stack,
    ):
        # Opening an index may take minutes: only now that the results are known to have a place.
        index = open_verified_index(index_path, index_version, doing="screened against")
        recorded = NO_RECORD
        if record is not None:
            recorded = read_record(record, aliases=index.aliases, day=started[:10])
        runners = open_runners(index, settings.stage_settings)
        source = stack.enter_context(
            open_drop(drop, settings.limits.max_file_bytes, settings.object_storage)
        )
        entries = []
        for entry in source.list_entries():
            entries.append(entry)
            progress("Listing the drop", len(entries), None)
        rows: list[RiskRow] = []
        system_files = SystemFiles(settings)
        collector = ContentCollector(settings.report.max_rows if settings.report.thumbnails else 0)
        judged_assets = source.rows(
            entries,
            lambda assets: screen_assets(assets, index, runners, settings, recorded),
        )
        for screened, judged in enumerate(judged_assets, start=1):
            if system_files.has_row(judged.row):
                rows.append(judged.row)
                collector.add(judged.row, judged.loaded)
            progress("Screening", screened, len(entries))
        info = run_info(new_run_id(), name_of(drop), started, index, settings)
        run = Run(info, index, settings, runners, recorded)

        def write_page(_tables: Tables, _counts: Mapping[str, int]) -> None:
            write_report(
                files,
                run=info,
                rows=rows,
                works=run.works,
                content=collector.content(rows, index),
                limits=ReportLimits(max_rows=settings.report.max_rows),
            )

        manifest = write_run(
            files,
            run,
            sorted(rows, key=lambda row: row.asset.asset_path),
            discovered=len(entries),
            system_files=system_files,
            source={"drop": absolute(drop)},
            write_more=write_page,
        )
    unused = out / RECORD if record is None and isinstance(out, Path) else None
    if unused is not None and not unused.exists():
        unused = None
    return ScreenedRun(out, manifest, rows, run.works, moved, unused)
