"""The configuration of a run: configs/*.yaml as typed, frozen values.

A file states what differs from the defaults; configs/default.yaml states all of them. Every fault
of a file is reported at once. How works and assets are fingerprinted is not configured here: that
is stored with the reference index (DESIGN: a fingerprint spec is stored with the index).
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    ValidationError,
    create_model,
    model_validator,
)

from pipeline.calibration import Calibration
from pipeline.errors import ConfigError
from pipeline.load.limits import Limits
from pipeline.problems import problems_of
from pipeline.stages import STAGES, StageSettings
from pipeline.yaml_document import YamlDocument, read_yaml

DEFAULT_CALIBRATION = "calibration/default.json"


@cache
def configs_folder() -> Path:
    """The folder of the configurations that come with Clearance.

    In an installed package it lies inside `pipeline`, in a source checkout beside it.
    """
    package = Path(__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bands(_Section):
    """Where the bands are cut, on calibrated risk; a risk equal to a cut is in the band above.

    Attributes:
        escalate: risk from which a row with evidence of copying is `escalate`.
        review: risk from which a row with evidence is `review`; below it, `info`.
    """

    escalate: FiniteFloat = Field(default=0.9, gt=0, le=1)
    review: FiniteFloat = Field(default=0.3, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.review < self.escalate:
            raise ValueError(
                f"review ({self.review:g}) must lie below escalate ({self.escalate:g})"
            )
        return self


class Report(_Section):
    """What report.html shows; risk_table.parquet always holds every row.

    Attributes:
        max_rows: rows shown in full, the most urgent first.
        thumbnails: whether pictures are shown; off, the page holds no unreleased picture.
    """

    max_rows: int = Field(default=500, ge=1, le=100_000)
    thumbnails: bool = True


class ObjectStorage(_Section):
    """How places in object storage (s3://) are read and written; nothing of it changes a result.

    Attributes:
        attempts: how often a call is tried that is throttled or loses its connection.
        timeout_seconds: without an answer, or without a further byte of one.
        spool_bytes: bytes of fetched objects that may lie in the temporary folder at a time; an
            object larger than that lies there alone.
    """

    attempts: int = Field(default=6, ge=1, le=20)
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    spool_bytes: int = Field(default=4 * 2**30, ge=1)


if TYPE_CHECKING:

    class Stages(_Section):
        """One section for each registered stage, by its name."""

        def __getattr__(self, name: str) -> StageSettings: ...

else:
    # Made from the registry, so that a new stage needs no line here.
    Stages = create_model(
        "Stages",
        __base__=_Section,
        __module__=__name__,
        **{
            name: (stage.Settings, Field(default_factory=stage.Settings))
            for name, stage in STAGES.items()
        },
    )


class Config(_Section):
    """A whole configuration.

    Attributes:
        version: of the file's form.
        limits: what is too large to load.
        stages: each stage's search settings, by stage name.
        calibration: path of the calibration file, relative to the configuration file or, if
            nothing lies there, to the folder of the configurations that come with Clearance.
        bands: cuts on calibrated risk.
        report: what the report page shows.
        object_storage: how places in object storage are read and written.
    """

    version: Literal[1] = 1
    limits: Limits = Field(default_factory=Limits)
    stages: Stages = Field(default_factory=Stages)
    calibration: str = Field(default=DEFAULT_CALIBRATION, min_length=1)
    bands: Bands = Field(default_factory=Bands)
    report: Report = Field(default_factory=Report)
    object_storage: ObjectStorage = Field(default_factory=ObjectStorage)

    _folder: Path | None = PrivateAttr(default=None)

    @property
    def stage_settings(self) -> dict[str, StageSettings]:
        """Each registered stage's settings, by stage name."""
        return {name: getattr(self.stages, name) for name in STAGES}

    @property
    def calibration_path(self) -> Path:
        """Where the calibration file lies."""
        beside = (self._folder or configs_folder()) / self.calibration
        return beside if beside.exists() else configs_folder() / self.calibration

    @cached_property
    def loaded_calibration(self) -> Calibration:
        """The calibration that `calibration` names.

        Raises:
            ConfigError: if it can't be used.
        """
        return Calibration.load(self.calibration_path)

    def values(self) -> dict[str, Any]:
        """Every effective value as plain JSON values, defaults included."""
        return self.model_dump(mode="json")

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the effective values and of what the calibration file says.

        Neither layout, comments and order of keys, nor where the two files lie, change it.

        Raises:
            ConfigError: if the calibration file can't be used.
        """
        identity = {**self.values(), "calibration": self.loaded_calibration.digest()}
        return hashlib.sha256(
            json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()


def load_config(path: Path | None = None) -> Config:
    """The configuration in the YAML file `path`, or the default one that comes with Clearance.

    Raises:
        ConfigError: if it or its calibration can't be used; `problems` lists every fault found.
    """
    source = configs_folder() / "default.yaml" if path is None else _found(path)
    document = read_yaml(source)
    problems = list(document.problems)
    config = None
    try:
        # Strict, and as JSON: no number is read from a string, and a list may stand for a tuple.
        config = Config.model_validate_json(json.dumps(document.values), strict=True)
    except ValidationError as error:
        problems += problems_of(error, Config, document.where)
    if problems or config is None:
        raise refused(source, problems, document)
    config._folder = source.resolve().parent
    config.loaded_calibration  # noqa: B018  a run must not find out at its end that it is broken
    return config


def _found(path: Path) -> Path:
    """The file `path`, or the one of that name that comes with Clearance: `configs/strict.yaml`
    works outside a checkout as well.
    """
    bundled = configs_folder() / path.name
    ours = str(path) in (path.name, f"configs/{path.name}") and bundled.is_file()
    return bundled if ours and not path.exists() else path


def refused(source: Path, problems: list[str], document: YamlDocument) -> ConfigError:
    """The error for a configuration file with these problems, listed in the order of its lines."""
    problems.sort(key=lambda text: _line_in(text, len(document.lines)))
    count = "a fault" if len(problems) == 1 else f"{len(problems)} faults"
    listed = "\n".join(f"  - {problem}" for problem in problems)
    return ConfigError(
        f"The configuration {source} has {count} and was not used:\n{listed}", problems
    )


def _line_in(problem: str, otherwise: int) -> int:
    number = problem.removeprefix("line ").partition(":")[0]
    return int(number) if number.isdigit() else otherwise
