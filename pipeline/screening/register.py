"""Register protected works: discover, load and fingerprint them like assets, then store them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.core.errors import ConfigError, ManifestError
from pipeline.core.records import Asset, Fault, Fingerprint, StageOutcome
from pipeline.drops.discover import asset_of
from pipeline.load.image.images import WORK_PICTURE_EDGE, thumbnail
from pipeline.load.limits import Limits
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript
from pipeline.load.workers.pool import load_all
from pipeline.runtime.progress import Progress, silent
from pipeline.screening.stage_runner import fingerprint_all, kind_of
from pipeline.stages import STAGES, Stage
from reference_index.creating import check_free
from reference_index.interface import WorkFile
from reference_index.store import ReferenceIndex, RegisteredFile
from reference_index.works import Manifest, ManifestRow, folder_as_works, read_manifest

_LINE = re.compile(r"^line (\d+) ")
DEFAULT_MODEL = "clearance-mini"


@dataclass(frozen=True)
class Registration:
    """The result of `add_works`.

    Attributes:
        version: of the index, afterwards.
        works, files: how many the index gained.
        unchanged: files that were in the index already.
        problems: rows left out (only with `skip_bad`), one sentence each.
        notes: sentences on files that were added.
    """

    version: int
    works: int
    files: int
    unchanged: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def create_index(
    path: Path, *, model: str = DEFAULT_MODEL, keep_content: bool = True
) -> ReferenceIndex:
    """A new, empty index at `path`, fingerprinted by every registered stage.

    Raises:
        IndexExistsError: if something is at `path` already.
        ModelError: if the model's weights can't be had or are refused.
    """
    check_free(path)
    stages = [stage.create(model=model) for stage in STAGES.values()]
    return ReferenceIndex.create(
        path,
        [stage.spec for stage in stages],
        {stage.name: stage.schema for stage in stages},
        keep_content=keep_content,
    )


def read_works(works: Path, *, skip_bad: bool = False) -> Manifest:
    """The manifest at `works`, or the folder `works` with each file as a work.

    Raises:
        ManifestError: if there is no such path, or rows are bad and `skip_bad` is not set.
    """
    if works.is_dir():
        return folder_as_works(works)
    return read_manifest(works, skip_bad=skip_bad)


def add_works(
    index_path: Path,
    works: Path,
    *,
    skip_bad: bool = False,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Registration:
    """Fingerprints every file of `works` and adds them all, or none.

    A row is bad if its file can't be loaded, if no stage could fingerprint it (no copy of it would
    ever be found), or if a stage failed on it. All bad rows are reported together.

    Raises:
        ManifestError: if rows are bad and `skip_bad` is not set; nothing is added.
        SpecMismatchError, ModelError: if the index can't be added to with what is installed.
    """
    index = ReferenceIndex.open(index_path)
    # The index first: a missing model is reported before a long manifest is read.
    stages = _stages_of(index)
    manifest = read_works(works, skip_bad=True)
    run = _Run(index, stages, manifest, limits or Limits(), progress, skip_bad)
    known = {work.work_id for work in index.works}
    version = index.add(run.files()) if manifest.rows else index.version
    run.raise_if_bad(works)
    return Registration(
        version,
        len(run.works - known),
        run.added,
        run.unchanged,
        tuple(run.in_order()),
        tuple(run.notes),
    )


def _stages_of(index: ReferenceIndex) -> list[Stage]:
    missing = sorted(set(index.specs) - set(STAGES))
    if missing:
        raise ConfigError(
            f"the index {index.path} holds fingerprints by {', '.join(missing)}, which this "
            "version of Clearance does not know; add works with the version that made the index."
        )
    return [STAGES[name].from_spec(spec) for name, spec in index.specs.items()]


class _Run:
    """One registration in progress: yields files to the index and collects faults."""

    def __init__(
        self,
        index: ReferenceIndex,
        stages: list[Stage],
        manifest: Manifest,
        limits: Limits,
        progress: Progress,
        skip_bad: bool,
    ) -> None:
        self.stages = stages
        self.manifest = manifest
        self.limits = limits
        self.progress = progress
        self.skip_bad = skip_bad
        self.keep_content = index.keep_content
        self.known = {(file.work_id, file.path, file.file_id) for file in index.files}
        self.problems = list(manifest.problems)
        self.notes: list[str] = list(manifest.notices)
        self.works: set[str] = set()
        self.added = self.unchanged = 0

    def raise_if_bad(self, works: Path) -> None:
        if self.problems and not self.skip_bad:
            total = len(self.manifest.rows) + len(self.manifest.problems)
            raise ManifestError(
                f"{len(self.problems)} of {total} rows of {works} can't be used and nothing was "
                "added; fix them, or add the other rows with --skip-bad.",
                self.in_order(),
            )

    def in_order(self) -> list[str]:
        """The problems in the order of the manifest's lines."""
        return sorted(self.problems, key=lambda text: int((*_LINE.findall(text), "0")[0]))

    def files(self) -> Iterator[RegisteredFile]:
        done = 0
        most = self.limits.max_file_bytes
        pairs = ((row, asset_of(row.file, row.path, most)) for row in self.manifest.rows)
        for chunk in load_all(pairs, self.limits, lambda pair: pair[1]):
            for file in self._chunk(chunk):
                if not self.problems or self.skip_bad:
                    yield file
            done += len(chunk)
            self.progress("Fingerprinting works", done, len(self.manifest.rows))
        # Raised inside the transaction of the index, which then adds nothing.
        self.raise_if_bad(self.manifest.source)

    def _chunk(
        self, chunk: list[tuple[tuple[ManifestRow, Asset], Loaded | Fault]]
    ) -> Iterator[RegisteredFile]:
        good: list[tuple[ManifestRow, Asset, Loaded]] = []
        for (row, asset), loaded in chunk:
            if isinstance(loaded, Fault):
                self.problems.append(f"{row.location}: {row.path}: {loaded.detail}")
            else:
                good.append((row, asset, loaded))
        fingerprints: list[dict[str, pa.RecordBatch]] = [{} for _ in good]
        reasons: list[list[str]] = [[] for _ in good]
        failed: set[int] = set()
        for stage in self.stages:
            places = [i for i, (_, _, item) in enumerate(good) if kind_of(item) is stage.kind]
            results = fingerprint_all(stage, [good[i][2] for i in places])
            for i, result in zip(places, results, strict=True):
                if isinstance(result, Fingerprint):
                    fingerprints[i][stage.name] = result.rows
                else:
                    reasons[i].append(f"{stage.title}: {result.detail}")
                    if isinstance(result, StageOutcome):
                        failed.add(i)
        for i, ((row, asset, loaded), rows, why) in enumerate(
            zip(good, fingerprints, reasons, strict=True)
        ):
            where = f"{row.location}: {row.path}"
            if not rows:
                self.problems.append(f"{where}: no stage can fingerprint it ({'; '.join(why)})")
                continue
            if i in failed:
                # Unlike an abstention, a failure says nothing about the work: with only some of its
                # fingerprints in the index, copies of it could be missed.
                self.problems.append(f"{where}: not every stage ran ({'; '.join(why)})")
                continue
            note = "; ".join([*loaded.notes, *why])
            if note:
                self.notes.append(f"{where}: {note}")
            yield self._registered(row, asset, loaded, rows, note)

    def _registered(
        self,
        row: ManifestRow,
        asset: Asset,
        loaded: Loaded,
        rows: dict[str, pa.RecordBatch],
        note: str,
    ) -> RegisteredFile:
        if asset.asset_id is None or asset.size is None:
            raise AssertionError("a file that was loaded has an id and a size")
        self.works.add(row.work.work_id)
        if (row.work.work_id, row.path, asset.asset_id) in self.known:
            self.unchanged += 1
        else:
            self.added += 1
        return RegisteredFile(
            row.work,
            WorkFile(
                row.work.work_id,
                row.path,
                asset.asset_id,
                kind_of(loaded).value,
                loaded.format,
                asset.size,
                note,
            ),
            rows,
            thumbnail(loaded, WORK_PICTURE_EDGE)
            if isinstance(loaded, LoadedImage) and self.keep_content
            else None,
            loaded.text if isinstance(loaded, LoadedScript) and self.keep_content else None,
        )
