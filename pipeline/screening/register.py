"""Register protected works: check and fingerprint them like assets, then store them.

The whole manifest is checked first (`works_check`); only files that the index doesn't hold are
fingerprinted. What was fingerprinted is kept (`kept_fingerprints`) until it is in the index, so
that an `add` that was refused or killed does not cost its time again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipeline.core.errors import ConfigError
from pipeline.core.records import Asset, Fault, Fingerprint, StageOutcome
from pipeline.load.image.images import WORK_PICTURE_EDGE, thumbnail
from pipeline.load.limits import Limits
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript
from pipeline.load.workers.pool import load_all
from pipeline.runtime.progress import Progress, silent
from pipeline.screening import kept_fingerprints
from pipeline.screening.kept_fingerprints import Fingerprinted, KeptFingerprints
from pipeline.screening.stage_runner import fingerprint_all, kind_of
from pipeline.screening.works_check import WorksCheck, bad_rows, check_works, in_order
from pipeline.stages import STAGES, Stage
from reference_index.creating import check_free
from reference_index.interface import Work, WorkFile
from reference_index.manifest_file import ManifestReading
from reference_index.registration_plan import ListedFile, plan_registration
from reference_index.store import ReferenceIndex, RegisteredFile

DEFAULT_MODEL = "clearance-mini"


@dataclass(frozen=True)
class Registration:
    """The result of `add_works`.

    Attributes:
        version: of the index, afterwards.
        works, files: how many the index gained.
        unchanged: files that were in the index already.
        problems: rows left out (only with `skip_bad`), one sentence each.
        notes: sentences on how the manifest was read, and on files that were added.
        warnings: sentences on what was added and may be a mistake.
        reused: files among `files` that an earlier `add` had fingerprinted.
    """

    version: int
    works: int
    files: int
    unchanged: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    reused: int = 0


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


def add_works(
    index_path: Path,
    works: Path,
    *,
    skip_bad: bool = False,
    reading: ManifestReading | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Registration:
    """Checks `works`, fingerprints the files that the index does not hold, and adds all or none.

    A row is bad if its file can't be loaded, if no stage could fingerprint it (no copy of it would
    ever be found), or if a stage failed on it. What can be found without decoding is reported
    before anything is fingerprinted, all of it together, and so is what is found later.

    Raises:
        ManifestError: if rows are bad and `skip_bad` is not set; nothing is added.
        SpecMismatchError, ModelError: if the index can't be added to with what is installed.
    """
    index = ReferenceIndex.open(index_path)
    limits = limits or Limits()
    check = check_works(index, works, reading=reading, limits=limits, progress=progress)
    if not skip_bad:
        check.raise_if_bad()
    run = RegistrationRun(index, check, limits, progress, skip_bad)
    if check.plan.adds_nothing:
        return run.registration()
    return run.add()


def _stages_of(index: ReferenceIndex) -> list[Stage]:
    missing = sorted(set(index.specs) - set(STAGES))
    if missing:
        raise ConfigError(
            f"the index {index.path} holds fingerprints by {', '.join(missing)}, which this "
            "version of Clearance does not know; add works with the version that made the index."
        )
    return [STAGES[name].from_spec(spec) for name, spec in index.specs.items()]


class RegistrationRun:
    """One registration in progress: yields files to the index and collects faults.

    Args:
        index: to register in.
        check: the manifest, compared with the index.
        limits: on the size of files.
        progress: called while files are fingerprinted.
        skip_bad: whether bad rows are left out, rather than raised at the end.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        check: WorksCheck,
        limits: Limits,
        progress: Progress,
        skip_bad: bool,
    ) -> None:
        self.index = index
        self.check = check
        self.plan = check.plan
        self.limits = limits
        self.progress = progress
        self.skip_bad = skip_bad
        self.problems = list(check.problems)
        self.notes: list[str] = list(check.notes)
        self.known = {work.work_id for work in index.works}
        self.works: set[str] = set()
        self.added = self.reused = 0

    def add(self) -> Registration:
        """Fingerprints and stores what is new."""
        self.index.add(self.files(), self.unchanged_works())
        kept_fingerprints.clear(self.index)
        return self.registration()

    def registration(self) -> Registration:
        """What was done."""
        return Registration(
            self.index.version,
            len(self.works - self.known),
            self.added,
            len(self.plan.unchanged_files),
            in_order(self.problems),
            tuple(self.notes),
            self.check.warnings,
            self.reused,
        )

    def unchanged_works(self) -> Iterator[Work]:
        """The details of works of which the index has files already."""
        return (file.row.work for file in self.plan.unchanged_files)

    def files(self) -> Iterator[RegisteredFile]:
        """The files to store, fingerprinted as they are asked for.

        Raises:
            ManifestError: after the last, if rows are bad and `skip_bad` is not set.
        """
        # Called by the index under its lock: another process may have changed it since the check.
        if self.index.version != self.check.version:
            self.known = {work.work_id for work in self.index.works}
            listed = self.check.plan.listed
            self.plan = plan_registration(listed, self.index.works, self.index.files)
        files = self.plan.to_fingerprint
        if not files:
            return
        stages = _stages_of(self.index)
        stored = KeptFingerprints(self.index, stages, self.limits)
        fresh = []
        for file in files:
            kept = stored.get(file)
            if kept is None:
                fresh.append(file)
            else:
                self.reused += 1
                yield self._registered(file, kept)
        done = len(files) - len(fresh)
        pairs = ((file, self.check.assets[file.identity]) for file in fresh)
        for chunk in load_all(pairs, self.limits, lambda pair: pair[1]):
            for file, fingerprinted in self._fingerprinted(stages, chunk):
                stored.put(file, fingerprinted)
                # After a bad row nothing will be added; the rest is fingerprinted to be kept, and
                # so that every bad row is found in one go.
                if not self.problems or self.skip_bad:
                    yield self._registered(file, fingerprinted)
            done += len(chunk)
            self.progress("Fingerprinting works", done, len(files))
        # Raised inside the transaction of the index, which then adds nothing.
        if self.problems and not self.skip_bad:
            raise bad_rows(self.check.source, self.problems, self.check.rows, stored.sentence())

    def _fingerprinted(
        self, stages: list[Stage], chunk: list[tuple[tuple[ListedFile, Asset], Loaded | Fault]]
    ) -> Iterator[tuple[ListedFile, Fingerprinted]]:
        good: list[tuple[ListedFile, Loaded]] = []
        for (file, _), loaded in chunk:
            if isinstance(loaded, Fault):
                self.problems.append(f"{file.row.location}: {file.row.path}: {loaded.detail}")
            else:
                good.append((file, loaded))
        fingerprints: list[dict[str, pa.RecordBatch]] = [{} for _ in good]
        reasons: list[list[str]] = [[] for _ in good]
        failed: set[int] = set()
        for stage in stages:
            places = [i for i, (_, item) in enumerate(good) if kind_of(item) is stage.kind]
            results = fingerprint_all(stage, [good[i][1] for i in places])
            for i, result in zip(places, results, strict=True):
                if isinstance(result, Fingerprint):
                    fingerprints[i][stage.name] = result.rows
                else:
                    reasons[i].append(f"{stage.title}: {result.detail}")
                    if isinstance(result, StageOutcome):
                        failed.add(i)
        for i, ((file, loaded), rows, why) in enumerate(
            zip(good, fingerprints, reasons, strict=True)
        ):
            where = f"{file.row.location}: {file.row.path}"
            if not rows:
                self.problems.append(f"{where}: no stage can fingerprint it ({'; '.join(why)})")
                continue
            if i in failed:
                # Unlike an abstention, a failure says nothing about the work: with only some of its
                # fingerprints in the index, copies of it could be missed.
                self.problems.append(f"{where}: not every stage ran ({'; '.join(why)})")
                continue
            yield file, self._of(loaded, rows, "; ".join([*loaded.notes, *why]))

    def _of(self, loaded: Loaded, rows: dict[str, pa.RecordBatch], note: str) -> Fingerprinted:
        thumb = text = None
        if self.index.keep_content and isinstance(loaded, LoadedImage):
            thumb = thumbnail(loaded, WORK_PICTURE_EDGE)
        if self.index.keep_content and isinstance(loaded, LoadedScript):
            text = loaded.text
        return Fingerprinted(kind_of(loaded).value, loaded.format, note, rows, thumb, text)

    def _registered(self, file: ListedFile, value: Fingerprinted) -> RegisteredFile:
        row = file.row
        if value.note:
            self.notes.append(f"{row.location}: {row.path}: {value.note}")
        self.works.add(row.work.work_id)
        self.added += 1
        stored = WorkFile(
            row.work.work_id,
            row.path,
            file.file_id,
            value.kind,
            value.format,
            file.size,
            value.note,
        )
        return RegisteredFile(row.work, stored, value.rows, value.thumbnail, value.text)
