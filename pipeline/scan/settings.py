"""The configuration of nightly scans: configs/nightly.yaml as typed, frozen values."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from pipeline.core.config_file import Section, read_config
from pipeline.decisions.places import is_url
from pipeline.drops.places import Place, place
from pipeline.screening.config import Config, load_config


def _drop_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("a drop's name has letters, digits, and . _ - after the first, 64 at most")
    return text


DropName = Annotated[str, AfterValidator(_drop_name)]
"""Name of a drop in tables: `vendor-a` in `vendor-a/shots/001.png`."""


def _path(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a path can't hold the character NUL")
    try:
        Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text.partition('/')[0]} has no known home folder") from None
    return text


def _local(text: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise ValueError("it must be a path on this machine; only a drop may be in s3://")
    return _path(text)


AnyPath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_path)]
LocalPath = Annotated[str, StringConstraints(min_length=1), AfterValidator(_local)]


class Settle(Section):
    """When a file that may still be arriving is ready.

    Attributes:
        seconds: a file changed less than this long ago is not screened yet; 0 disables the check.
        marker: name of a file that marks its folder, and all below it, as complete. Files outside
            marked folders are not screened yet. None disables the check.
    """

    seconds: FiniteFloat = Field(default=60.0, ge=0, le=604_800)
    marker: str | None = Field(default=None, min_length=1, max_length=255, pattern=r"^[^/\x00]+$")


class Drop(Section):
    """One folder that assets arrive in.

    Attributes:
        path: the folder, relative to the configuration file, or s3://BUCKET/PREFIX.
        settle: when its files are ready.
        may_be_empty: whether the folder may lose all its files at once. If not, a drop that is
            suddenly empty is assumed not to be mounted, and its rows stay as they were.
    """

    path: AnyPath
    settle: Settle = Field(default_factory=Settle)
    may_be_empty: bool = False


def _some(drops: dict[str, Drop]) -> dict[str, Drop]:
    if not drops:
        raise ValueError("name at least one drop, as in configs/nightly.yaml")
    return drops


RECORD_VARIABLE = "CLEARANCE_RECORD"
"""Environment variable that may name the record, so that no file needs a password."""

ENV = "env:"
"""Prefix of a target that is the name of an environment variable."""


def _target(text: str) -> str:
    # The errors do not repeat the value: it may contain a password.
    if text.startswith(ENV):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text.removeprefix(ENV)):
            raise ValueError(f"after {ENV} comes the name of an environment variable")
    elif "://" not in text:
        raise ValueError(f"it must be an apprise URL such as json://host/path, or {ENV}NAME")
    return text


class Notify(Section):
    """Notifications at the end of a scan: counts and the scan's id, no content of assets.

    Attributes:
        to: apprise URLs; `env:NAME` takes one from the environment, so that the file needs no
            secret.
        when: `changes`: if anything changed or there was a problem; `problems`: if a drop could
            not be read, or a new or changed file was not screened in full; `always`. A failed scan
            is always notified.
        timeout_seconds: timeout of a target.
    """

    to: tuple[Annotated[str, AfterValidator(_target)], ...] = ()
    when: Literal["changes", "always", "problems"] = "changes"
    timeout_seconds: FiniteFloat = Field(default=20.0, gt=0, le=600)


class ScanSettings(Section):
    """The configuration of nightly scans.

    Attributes:
        version: of the file format.
        index: the reference index, relative to the configuration file.
        out: the scan directory, with cache, tables and history; relative to the file too.
        screening: a configuration as for `clearance screen`; None for the default one.
        drops: by name.
        keep_days: after how many days tables of earlier scans, and fingerprints of deleted files,
            are deleted.
        record: of decisions: its file or folder, relative to the configuration file, or a
            postgresql:// URL. None for CLEARANCE_RECORD in the environment, or else the scan
            directory.
        notify: notifications at the end of a scan.
    """

    version: Literal[1] = 1
    index: LocalPath
    out: LocalPath
    screening: LocalPath | None = None
    drops: Annotated[dict[DropName, Drop], AfterValidator(_some)]
    keep_days: int = Field(default=90, ge=1, le=36_500)
    record: str | None = Field(default=None, min_length=1)
    notify: Notify = Field(default_factory=Notify)

    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _no_drop_twice(self) -> Self:
        name_by_path: dict[str, str] = {}
        for name, drop in self.drops.items():
            if drop.path in name_by_path:
                raise ValueError(
                    f"the drops {name_by_path[drop.path]} and {name} are the same folder"
                )
            name_by_path[drop.path] = name
        return self

    def drop_place(self, name: str) -> Place:
        """The place of a drop.

        Raises:
            DropError: if it is a URL of a kind that is not supported.
        """
        drop = place(self.drops[name].path)
        return self.place(str(drop)) if isinstance(drop, Path) else drop

    def place(self, path: str) -> Path:
        """A path of the configuration, made absolute from the file's folder."""
        return self._folder / Path(path).expanduser()

    def record_place(self) -> str | Path:
        """The place of the record of decisions, which need not exist."""
        if self.record is not None:
            return self.record if is_url(self.record) else self.place(self.record)
        return os.environ.get(RECORD_VARIABLE) or self.place(self.out)

    @property
    def record_from_environment(self) -> bool:
        """Whether the environment names the record."""
        return self.record is None and bool(os.environ.get(RECORD_VARIABLE))

    @property
    def record_is_named(self) -> bool:
        """Whether a record is named explicitly, and so is expected to exist."""
        return self.record is not None or self.record_from_environment

    def config(self) -> Config:
        """The configuration that assets are screened with.

        Raises:
            ConfigError: if that configuration can't be used.
        """
        if self.screening is None:
            return load_config(None)
        own = self.place(self.screening)
        return load_config(own if own.exists() else Path(self.screening))


def load_settings(path: Path) -> ScanSettings:
    """The configuration of nightly scans in the YAML file `path`.

    Raises:
        ConfigError: if it can't be used; `problems` lists every fault found.
    """
    settings = read_config(path, ScanSettings)
    settings._folder = path.resolve().parent
    return settings
