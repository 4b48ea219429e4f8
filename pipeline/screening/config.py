"""The configuration of a run: configs/*.yaml as typed, frozen values.

A file states what differs from the defaults; configs/default.yaml states all of them. Every fault
of a file is reported at once. How works and assets are fingerprinted is not configured here: that
is stored with the reference index (DESIGN: a fingerprint spec is stored with the index).
"""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    Field,
    PrivateAttr,
    create_model,
)

from pipeline.core.config_file import Section, read_config
from pipeline.drops.settings import ObjectStorage
from pipeline.load.limits import Limits
from pipeline.report.settings import Report
from pipeline.risk.bands import Bands
from pipeline.risk.calibration import Calibration
from pipeline.stages import STAGES, StageSettings
from reference_index.canonical_json import json_digest

DEFAULT_CALIBRATION = "calibration/default.json"


@cache
def configs_folder() -> Path:
    """The folder of the configurations that come with Clearance.

    It is inside the package `pipeline` if that is installed, and next to it in a source checkout.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


if TYPE_CHECKING:

    class Stages(Section):
        """One section for each registered stage, by its name."""

        def __getattr__(self, name: str) -> StageSettings: ...

else:
    # Built from the registry, so that a new stage needs no line here.
    Stages = create_model(
        "Stages",
        __base__=Section,
        __module__=__name__,
        **{
            name: (stage.Settings, Field(default_factory=stage.Settings))
            for name, stage in STAGES.items()
        },
    )


class Config(Section):
    """The configuration of a run.

    Attributes:
        version: of the file format.
        limits: what is too large to load.
        stages: each stage's search settings, by stage name.
        calibration: path of the calibration file, relative to the configuration file or, if there
            is no such file, to the folder of the configurations that come with Clearance.
        bands: cuts on calibrated risk.
        system_files: whether files that an operating system left in a drop, such as .DS_Store, are
            rows, or are only counted in run.json.
        report: what the report page shows.
        object_storage: retries, timeouts and temporary space for object storage.
    """

    version: Literal[1] = 1
    limits: Limits = Field(default_factory=Limits)
    system_files: Literal["row", "count"] = "row"
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
        """The path of the calibration file; next to the configuration file if it is nowhere."""
        own = (self._folder or configs_folder()) / self.calibration
        bundled = configs_folder() / self.calibration
        return bundled if bundled.exists() and not own.exists() else own

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
        """SHA-256 (hex) of the effective values and of the content of the calibration file.

        Layout, comments, order of keys and paths of the two files do not change it.

        Raises:
            ConfigError: if the calibration file can't be used.
        """
        identity = {**self.values(), "calibration": self.loaded_calibration.digest()}
        return json_digest(identity)


def load_config(path: Path | None = None) -> Config:
    """The configuration in the YAML file `path`, or the default one that comes with Clearance.

    Raises:
        ConfigError: if it or its calibration can't be used; `problems` lists every fault found.
    """
    source = configs_folder() / "default.yaml" if path is None else _resolved(path)
    config = read_config(source, Config)
    config._folder = source.resolve().parent
    config.loaded_calibration  # noqa: B018  so that a broken one stops the run at its start
    return config


def _resolved(path: Path) -> Path:
    """The file `path`, or the one of that name that comes with Clearance: `configs/strict.yaml`
    works outside a checkout as well.
    """
    bundled = configs_folder() / path.name
    is_bundled = str(path) in (path.name, f"configs/{path.name}") and bundled.is_file()
    return bundled if is_bundled and not path.exists() else path
