"""Screening a drop: chains the steps, and is the one place that knows their order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.config import Config, load_config
from pipeline.discover import discover
from pipeline.errors import DropError
from pipeline.fuse import fuse, in_part
from pipeline.judge import Bench, judge_all, open_benches, works_compared
from pipeline.load.images import thumbnail
from pipeline.load.workers import load_all
from pipeline.manifest import environment, installed, new_run_id, now
from pipeline.overlay import KeptFrame
from pipeline.progress import Progress, silent
from pipeline.records import Asset, Band, Fault, Loaded, LoadedImage, LoadedScript, RiskRow
from pipeline.report import Content, ReportLimits, write_report
from pipeline.report_overlay import kept_frames
from pipeline.results import NAMES, RUN, ResultFiles, RunInfo
from pipeline.script_places import with_places
from pipeline.table import counts, urgency, write_tables
from reference_index.errors import IndexCorruptError
from reference_index.interface import Work
from reference_index.store import ReferenceIndex

FLAGGED = (Band.ESCALATE, Band.REVIEW, Band.INFO)


@dataclass(frozen=True)
class Judged:
    """A row of the risk table with the asset it was made from, None if it did not load."""

    row: RiskRow
    loaded: Loaded | None


@dataclass(frozen=True)
class ScreenedRun:
    """A run that completed.

    Attributes:
        out: the folder of its results.
        run: the contents of run.json.
        rows: the risk table's rows, by asset path.
        works: every work of the index, by work id.
    """

    out: Path
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
        return sum(in_part(row) for row in self.rows if row.band in FLAGGED)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by band, every band named."""
        return dict(self.run["counts"])


@dataclass
class Shown:
    """What the report shows of flagged assets, kept while they are in memory.

    Of more than `limit`, the most urgent are kept, as they are those that the report shows.
    """

    limit: int
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    frames: dict[str, dict[str, KeptFrame]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _least: list[tuple[tuple[int, float, str], str]] = field(default_factory=list)

    def take(self, judged: Judged) -> None:
        """Keeps a flagged asset's text, or its thumbnail and the frames of its overlays."""
        if judged.row.band not in FLAGGED or judged.loaded is None or not self.limit:
            return
        path = judged.row.asset.asset_path
        insort(self._least, (urgency(judged.row), path))
        if isinstance(judged.loaded, LoadedImage):
            self.thumbnails[path] = thumbnail(judged.loaded)
            self.frames[path] = kept_frames(judged.row, judged.loaded)
        else:
            self.texts[path] = judged.loaded.text
        if len(self._least) > self.limit:
            _, dropped = self._least.pop()
            self.thumbnails.pop(dropped, None)
            self.frames.pop(dropped, None)
            self.texts.pop(dropped, None)


def check_places(drop: Path, index: Path, out: Path) -> None:
    """Sees that results and index do not lie in the drop, where they would be screened, nor the
    results in the index.

    Raises:
        DropError: if they do, or if `out` is a file.
    """
    root = drop.resolve()
    for what, path in (("output folder", out), ("reference index", index)):
        place = path.resolve()
        if place == root or root in place.parents:
            raise DropError(
                f"The {what} {path} lies inside the drop {drop} and would be screened with it; "
                "choose a place outside the drop."
            )
    folder = index.resolve()
    if folder == out.resolve() or folder in out.resolve().parents:
        raise DropError(
            f"The output folder {out} lies inside the reference index {index}; choose a place "
            "outside it."
        )
    if root in {(out / name).resolve() for name in NAMES}:
        raise DropError(
            f"The drop {drop} would be overwritten by the results of that name in {out}; choose "
            "another output folder."
        )
    if out.exists() and not out.is_dir():
        raise DropError(f"The output {out} is a file; name a folder.")


def judge_assets(
    assets: Iterable[Asset], index: ReferenceIndex, benches: list[Bench], config: Config
) -> Iterator[Judged]:
    """Every asset's row, in order; memory holds three chunks of assets at most."""
    works = {work.work_id: work for work in index.works}
    gathered: dict[str, set[str]] = {}
    for file in index.files:
        gathered.setdefault(file.work_id, set()).add(file.file_id)
    file_ids = {work_id: frozenset(ids) for work_id, ids in gathered.items()}
    stages = {bench.name: bench.stage for bench in benches if bench.stage is not None}
    chunks = load_all(assets, config.limits, lambda asset: asset)
    for asset, loaded, outcomes in judge_all(chunks, benches):
        fault = loaded if isinstance(loaded, Fault) else None
        row = fuse(
            replace(asset, fault=fault) if fault else asset,
            outcomes,
            config.loaded_calibration,
            config.bands,
            works,
            file_ids,
            works_compared(outcomes, benches),
            stages=stages,
            not_counted={bench.name: bench.settings.not_counted for bench in benches},
            notes=() if isinstance(loaded, Fault) else loaded.notes,
            whole=isinstance(loaded, Fault) or loaded.whole,
        )
        if isinstance(loaded, Fault):
            yield Judged(row, None)
        else:
            if isinstance(loaded, LoadedScript):
                row = with_places(row, loaded)
            yield Judged(replace(row, extra={"format": loaded.format}), loaded)


def screen(
    drop: Path,
    index_path: Path,
    out: Path,
    *,
    config: Path | Config | None = None,
    index_version: int | None = None,
    progress: Progress = silent,
) -> ScreenedRun:
    """Screens every file of `drop` against the index and writes the results to `out`.

    Every file discovered becomes exactly one row. `index_version` names an earlier version of the
    index, to repeat a run. Results of an earlier run in `out` stay whole
    until the new ones are complete.

    Raises:
        DropError: if the drop or the output folder can't be used.
        ConfigError: if the configuration can't be used.
        ReferenceIndexError: if the index can't be read, or not with what is installed.
    """
    started = now()
    settings = config if isinstance(config, Config) else load_config(config)
    index = ReferenceIndex.open(index_path, index_version)
    check_places(drop, index_path, out)
    faults = index.verify()
    if faults:
        # A fingerprint with a flipped bit finds nothing, and would say so of a copy.
        raise IndexCorruptError(
            f"The index {index_path} is damaged and was not screened against ({faults[0]}); run "
            f"`clearance index verify {index_path}`, and restore it from a copy."
        )
    benches = open_benches(index, settings.stage_settings)
    with ResultFiles(out) as files:
        assets = []
        for asset in discover(drop, settings.limits.max_file_bytes):
            assets.append(asset)
            progress("Reading the drop", len(assets), None)
        rows: list[RiskRow] = []
        shown = Shown(settings.report.max_rows if settings.report.thumbnails else 0)
        for judged in judge_assets(assets, index, benches, settings):
            rows.append(judged.row)
            shown.take(judged)
            progress("Screening", len(rows), len(assets))
        info = _run_info(drop, started, index, settings)
        works = {work.work_id: work for work in index.works}
        write_tables(files, rows, info, works, discovered=len(assets))
        write_report(
            files,
            run=info,
            rows=rows,
            works=works,
            content=_content(rows, index, shown),
            limits=ReportLimits(max_rows=settings.report.max_rows),
        )
        run = _run_manifest(info, drop, index, settings, benches, rows)
        run["outputs"] = dict(files.digests)
        files.write_json(RUN, run)
    return ScreenedRun(out, run, rows, works)


def _content(rows: list[RiskRow], index: ReferenceIndex, shown: Shown) -> Content:
    """What the report may show of the works that stand beside shown assets."""
    files = {file.file_id: file for file in index.files}
    wanted = {
        evidence.work_file_id
        for row in rows
        if row.asset.asset_path in shown.thumbnails
        for outcome in row.outcomes
        for evidence in outcome.evidence
        if row.matches
        and evidence.work_id in {row.matches[0].work_id, *shown.frames[row.asset.asset_path]}
    }
    thumbnails = {}
    for file_id in sorted(wanted):
        kept = index.content(files[file_id]).thumbnail
        if kept is not None:
            thumbnails[file_id] = kept

    def work_text(file_id: str) -> str | None:
        return index.content(files[file_id]).text if file_id in files else None

    return Content(shown.thumbnails, thumbnails, shown.texts, work_text, shown.frames)


def _run_info(drop: Path, started: str, index: ReferenceIndex, config: Config) -> RunInfo:
    kinds = config.loaded_calibration.kinds
    return RunInfo(
        run_id=new_run_id(),
        index_version=index.version,
        index_digest=index.digest,
        config_fingerprint=config.fingerprint(),
        drop=drop.resolve().name,
        started=started,
        works=len(index.works),
        clearance_version=installed("clearance"),
        prior={str(kind): model.prior for kind, model in kinds.items()},
        bands=config.bands.model_dump(),
    )


def _run_manifest(
    info: RunInfo,
    drop: Path,
    index: ReferenceIndex,
    config: Config,
    benches: list[Bench],
    rows: list[RiskRow],
) -> dict[str, Any]:
    """run.json: documented in docs/risk-table.md."""
    absent = {b.name: b.absent.detail for b in benches if b.absent is not None}
    weights = {name: spec.weights_sha256 for name, spec in index.specs.items()}
    return {
        "run_id": info.run_id,
        "started": info.started,
        "finished": now(),
        "drop": str(drop.resolve()),
        "files": len(rows),
        "counts": counts(rows),
        "index": {
            "path": str(index.path.resolve()),
            "version": index.version,
            "digest": index.digest,
            "works": len(index.works),
            "files": len(index.files),
            "keep_content": index.keep_content,
            "specs": {name: spec.to_json() for name, spec in index.specs.items()},
        },
        "config": config.values(),
        "config_fingerprint": info.config_fingerprint,
        "calibration": {
            "digest": config.loaded_calibration.digest(),
            "prior": dict(info.prior),
            "other_weights": config.loaded_calibration.other_weights(weights),
        },
        "not_run": absent,
        **environment(),
    }
