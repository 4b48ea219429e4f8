"""The Stage contract: what a developer implements to add a new kind of evidence.

A stage does not access files, tables or other stages. It turns loaded assets into fingerprints, and
compares fingerprints with those in an index, which gives evidence. Every stage registered in
`pipeline.stages` must pass the conformance suite in tests/stages/test_conformance.py.
docs/extending.md shows how to write one.
"""

from __future__ import annotations

import base64
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipeline.core.records import Abstention, Evidence, Fingerprint, Kind, Measure, Value
from pipeline.load.loaded import Loaded
from reference_index.errors import SpecMismatchError
from reference_index.interface import FingerprintSpec, StageEntries


class StageSettings(BaseModel):
    """A stage's section of the configuration: how it searches, never how it fingerprints.

    Each stage subclasses this; unknown keys are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True

    @property
    def not_counted(self) -> frozenset[str]:
        """Rights, in lower case, of works whose evidence by this stage adds nothing to the risk."""
        return frozenset()


class Stage(ABC):
    """One kind of evidence.

    Class attributes:
        name: also the name of its table in the index and of its section in the configuration.
        title: for people, such as `perceptual hash`.
        kind: which assets it applies to.
        schema: of a fingerprint's rows, as stored. No null values.
        measures: the columns that it adds to the tables.
        shows_copying: True if its evidence shows copied material, False if it shows similarity
            only, which never reaches the band `escalate`.
        batch_size: how many loaded assets to pass to `fingerprint` at a time.
        verifies: whether it compares candidates that other stages generate.
        Settings: its section of the configuration.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[Kind]
    schema: ClassVar[pa.Schema]
    measures: ClassVar[tuple[Measure, ...]]
    shows_copying: ClassVar[bool]
    batch_size: ClassVar[int] = 16
    verifies: ClassVar[bool] = False
    Settings: ClassVar[type[StageSettings]] = StageSettings

    @classmethod
    def create(cls, **options: Any) -> Self:  # noqa: ARG003 - the contract's signature
        """A stage for a new index.

        Args:
            options: of `clearance index create` (`model: str` for the embedding). A stage that does
                not override this has none.

        Raises:
            ModelError: if a model's weights can't be found or are refused.
        """
        return cls()

    @classmethod
    def from_spec(cls, spec: FingerprintSpec) -> Self:
        """The stage that an index was made with: same parameters, same model.

        Args:
            spec: as stored in the index.

        Raises:
            SpecMismatchError: if the installed code can't reproduce `spec`; names what differs
                and the command that mends it.
            ModelError: if the model's weights can't be found or have another SHA-256.
        """
        stage = cls()
        stage.refuse_mismatch(spec)
        return stage

    def refuse_mismatch(self, stored: FingerprintSpec) -> None:
        """Refuses an index whose fingerprints the installed code would not reproduce.

        Args:
            stored: the index's spec of this stage.

        Raises:
            SpecMismatchError: as in `from_spec`.
        """
        here = self.spec
        remedy = (
            "Screen with the version that made the index, or make a new one with `clearance index "
            "create` and add the works again."
        )
        differences = stored.differences(here)
        if differences:
            listed = (
                "; ".join(differences)
                .replace(" here", " in the index")
                .replace(" there", " in the installed version")
            )
            raise SpecMismatchError(
                f"The index can't be used for {stored.stage}: {listed}. {remedy}"
            )
        if not self.golden_fingerprints_agree(here.canary, stored.canary):
            changed = [
                f"{name} {version} when it was made, {here.libraries.get(name, 'none')} now"
                for name, version in sorted(stored.libraries.items())
                if here.libraries.get(name) != version
            ]
            versions = "; ".join(changed) or "the same versions of its libraries"
            raise SpecMismatchError(
                f"The index can't be used for {stored.stage}: the same input no longer gives the "
                f"same fingerprint ({versions}). {remedy}"
            )

    @staticmethod
    def golden_fingerprints_agree(here: str, stored: str) -> bool:
        """Whether two golden fingerprints, as in `FingerprintSpec.canary`, are the same.

        A stage whose values may differ by rounding between processors overrides this with
        `golden_vectors_agree`.
        """
        return here == stored

    @classmethod
    def opening_key(cls, spec: FingerprintSpec) -> str | None:  # noqa: ARG003
        """A digest of everything that `from_spec` depends on, without loading a model: while it is
        the same, `from_spec` would succeed again. None if unknown, or not overridden.
        """
        return None

    @classmethod
    def from_spec_lazily(cls, spec: FingerprintSpec) -> Self:
        """As `from_spec`, for a spec whose `opening_key` is the same as when `from_spec` succeeded:
        what is slow to load may be loaded at the first fingerprint, with the same checks.
        """
        return cls.from_spec(spec)

    @property
    @abstractmethod
    def spec(self) -> FingerprintSpec:
        """Identity of the fingerprints that this stage computes, with its golden fingerprint."""

    @abstractmethod
    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """A fingerprint for each input, in order, or an abstention if it has too little to compare.

        The result for an input does not depend on the others in the batch, and is the same bytes
        each time.
        """

    @abstractmethod
    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """For each fingerprint, at most one Evidence for each work, strongest first, ties by
        work id. An empty list means no match within the settings' limits.

        Args:
            fingerprints: of assets.
            entries: the index's rows of this stage.
            settings: an instance of `Settings`.

        Raises:
            ValueError: if a fingerprint or the stored rows are not of this stage's form.
        """

    def candidates(
        self,
        fingerprints: Sequence[Fingerprint],
        entries: StageEntries,  # noqa: ARG002 - the contract's signature
        settings: StageSettings,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> list[list[int]]:
        """For each fingerprint, files that a verifying stage should compare, nearest first.

        Candidates may be farther away than the settings' limits for evidence: to compare one more
        costs time only.

        Args:
            fingerprints, entries, settings: as in `search`.
            limit: how many files at most for each fingerprint.

        Returns:
            Positions in `entries.files` for each; none for a stage that does not override this.
        """
        return [[] for _ in fingerprints]

    def search_with_candidates(
        self,
        fingerprints: Sequence[Fingerprint],
        entries: StageEntries,
        settings: StageSettings,
        candidates: Sequence[Mapping[int, tuple[str, ...]]],  # noqa: ARG002
    ) -> list[list[Evidence]]:
        """As `search`; a stage that `verifies` also compares each fingerprint with its candidates.

        Args:
            fingerprints, entries, settings: as in `search`.
            candidates: for each fingerprint, by position in `entries.files`, the titles of the
                stages that generated the candidate.
        """
        return self.search(fingerprints, entries, settings)

    def remark(self, facts: Mapping[str, Value]) -> str | None:  # noqa: ARG002
        """One sentence on the asset that its row shows with or without a match; None if there is
        nothing to say, or not overridden.

        Args:
            facts: of the asset's fingerprint or abstention.
        """
        return None

    @abstractmethod
    def sentence(self, evidence: Evidence) -> str:
        """The evidence as one sentence for a lawyer, without the work's title: "The picture's
        outline agrees with it in 62 of 64 bits of the perceptual hash."
        """


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of distributions by name, for `FingerprintSpec.libraries`."""
    from importlib.metadata import version

    return {name: version(name) for name in names}


def check_rows(rows: pa.RecordBatch | pa.Table, schema: pa.Schema, stage: str) -> None:
    """Checks the columns of stored rows.

    Raises:
        ValueError: if their names or types differ from `schema`, or a value is missing.
    """
    if rows.schema.names != schema.names or any(
        rows.schema.field(field.name).type != field.type for field in schema
    ):
        raise ValueError(f"rows are not of the form of {stage}")
    if any(rows.column(name).null_count for name in rows.schema.names):
        raise ValueError(f"a {stage} row has a missing value")


GOLDEN_COSINE = 0.999
"""Cosine similarity from which two golden vectors are the same: processors round differently."""


def stage_threads() -> int:
    """Threads over which a stage distributes its assets: half as many as there are processors.

    Several stages run at a time, and more threads than processors are slower.
    """
    return max(1, (os.cpu_count() or 1) // 2)


def golden_vectors_agree(here: str, stored: str) -> bool:
    """Whether two golden fingerprints, float16 vectors in base64, are the same but for rounding."""
    try:
        a, b = (
            np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float64)
            for text in (here, stored)
        )
    except ValueError:
        return False
    if a.shape != b.shape or not len(a):
        return False
    return bool(a @ b >= GOLDEN_COSINE * np.linalg.norm(a) * np.linalg.norm(b) > 0)
