"""The Stage contract: what a developer adds to teach the pipeline a new kind of evidence.

A stage knows nothing of files, tables or other stages. It turns loaded assets into fingerprints,
and fingerprints into evidence against what an index holds. Every stage registered in
`pipeline.stages` must pass the conformance suite in tests/stages/test_conformance.py.
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
from reference_index.interface import StageEntries
from reference_index.spec import FingerprintSpec


class StageSettings(BaseModel):
    """What a run's configuration may set of a stage: how it searches, never how it fingerprints.

    Each stage subclasses this; unknown keys are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True

    @property
    def not_counted(self) -> frozenset[str]:
        """Rights, in lower case, of works whose evidence by this stage is shown and not counted."""
        return frozenset()


class Stage(ABC):
    """One kind of evidence.

    Class attributes:
        name: also the name of its table in the index and of its section in the configuration.
        title: for people, such as `perceptual hash`.
        kind: which assets it applies to.
        schema: of a fingerprint's rows, as stored. No null values.
        measures: the columns it brings.
        shows_copying: True if its evidence shows copied material, False if only likeness;
            likeness alone never reaches the band `escalate`.
        batch_size: how many loaded assets `fingerprint` wants at a time.
        verifies: whether it compares candidates that other stages nominate.
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
        """A stage for a new index. `options` are those of `clearance index create`
        (`model: str` for the embedding); a stage that does not define this has none.

        Raises:
            ModelError: if a model's weights can't be had or are refused.
        """
        return cls()

    @classmethod
    def from_spec(cls, spec: FingerprintSpec) -> Self:
        """The stage as the index was made with: same parameters, same model.

        Raises:
            SpecMismatchError: if the installed code can't reproduce `spec`; names what differs
                and the command that mends it.
            ModelError: if the model's weights can't be found or have another SHA-256.
        """
        stage = cls()
        stage.refuse_other(spec)
        return stage

    def refuse_other(self, stored: FingerprintSpec) -> None:
        """Refuses an index that was fingerprinted otherwise than the installed code would.

        Raises:
            SpecMismatchError: as in `from_spec`.
        """
        here = self.spec
        mend = (
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
            raise SpecMismatchError(f"The index can't be used for {stored.stage}: {listed}. {mend}")
        if not self.canaries_agree(here.canary, stored.canary):
            changed = [
                f"{name} {version} when it was made, {here.libraries.get(name, 'none')} now"
                for name, version in sorted(stored.libraries.items())
                if here.libraries.get(name) != version
            ]
            versions = "; ".join(changed) or "the same versions of its libraries"
            raise SpecMismatchError(
                f"The index can't be used for {stored.stage}: the same input no longer gives the "
                f"same fingerprint ({versions}). {mend}"
            )

    @staticmethod
    def canaries_agree(here: str, stored: str) -> bool:
        """Whether two canaries are of the same fingerprint. Stages whose bits may differ between
        processors say so with `vector_canaries_agree`.
        """
        return here == stored

    @classmethod
    def opening_key(cls, spec: FingerprintSpec) -> str | None:  # noqa: ARG003
        """What `from_spec` depends on, told without opening anything: while it stays the same,
        what was opened once can be opened again. None, for a stage that does not define this, or
        if it can't be told.
        """
        return None

    @classmethod
    def opened_before(cls, spec: FingerprintSpec) -> Self:
        """As `from_spec`, for a spec whose `opening_key` is as it was when it was opened before:
        what is slow to open may be left until the first fingerprint, with the same checks.
        """
        return cls.from_spec(spec)

    @property
    @abstractmethod
    def spec(self) -> FingerprintSpec:
        """Identity of the values this stage makes, the canary included."""

    @abstractmethod
    def fingerprint(self, loaded: Sequence[Loaded]) -> list[Fingerprint | Abstention]:
        """One answer for each input, in order. The answer for an input does not depend on the
        others in the batch, and is the same bytes each time.
        """

    @abstractmethod
    def search(
        self, fingerprints: Sequence[Fingerprint], entries: StageEntries, settings: StageSettings
    ) -> list[list[Evidence]]:
        """For each fingerprint, at most one Evidence for each work, strongest first, ties by
        work id. An empty list means no match within the settings' limits.

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
        """For each fingerprint, files that a stage which verifies should look at, nearest first.

        They may lie further off than evidence does: being compared costs time and nothing else.

        Returns:
            Up to `limit` positions in `entries.files` for each; none, for a stage that does not
            define this.
        """
        return [[] for _ in fingerprints]

    def search_among(
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
                stages that nominated the file.
        """
        return self.search(fingerprints, entries, settings)

    def remark(self, facts: Mapping[str, Value]) -> str | None:  # noqa: ARG002
        """What a reader should know of an asset whatever was found, as one sentence; None, for a
        stage that does not define this. `facts` are those of its fingerprint or abstention.
        """
        return None

    @abstractmethod
    def sentence(self, evidence: Evidence) -> str:
        """What the evidence says, as one sentence for a lawyer, without the work's title:
        "The picture's outline agrees with it in 62 of 64 bits of the perceptual hash." """


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of distributions, for `FingerprintSpec.libraries`."""
    from importlib.metadata import version

    return {name: version(name) for name in names}


CANARY_COSINE = 0.999
"""Cosine similarity of two canaries from which they count as the same: the bits of a vector may
differ between processors."""


def threads() -> int:
    """How many threads a stage shares its assets out to: half as many as there are processors,
    since stages work beside each other and more threads than processors only cost time.
    """
    return max(1, (os.cpu_count() or 1) // 2)


def vector_canaries_agree(here: str, stored: str) -> bool:
    """Whether two canaries, float16 vectors in base64, are the same but for rounding."""
    try:
        a, b = (
            np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float64)
            for text in (here, stored)
        )
    except ValueError:
        return False
    if a.shape != b.shape or not len(a):
        return False
    return bool(a @ b >= CANARY_COSINE * np.linalg.norm(a) * np.linalg.norm(b) > 0)
