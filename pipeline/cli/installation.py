"""What `clearance doctor` looks at: whether what Clearance needs is there, and works.

Each check is a line: `ok`, `without` (an optional part is not there, and what that means), or
`fault` (a command will fail until it is mended).
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pipeline.core.environment import installed
from pipeline.core.errors import ConfigError, Reason, ScreeningError
from pipeline.core.extras import EXTRAS
from pipeline.core.wording.text import count
from pipeline.review.serve import has_browser

LEAST_FREE_BYTES = 2 * 2**30
"""Free space below which a disk is reported: a drop of some thousand files needs less than 1 GiB of
results and temporary files."""
_MIB, _GIB = 2**20, 2**30


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    WITHOUT = "without"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check.

    Attributes:
        state: whether it is there and works.
        subject: what was looked at.
        detail: what was found and, if something is missing, how to mend it.
    """

    state: State
    subject: str
    detail: str


def findings(index: Path | None = None, out: Path | None = None) -> Iterator[Finding]:
    """All checks, one after the other.

    Args:
        index: a reference index that is to be opened, with its model.
        out: a folder in which results are to be written; nothing stays in it.
    """
    yield Finding(
        State.OK,
        "Clearance",
        f"{installed('clearance')}, Python {platform.python_version()}, {platform.platform()}",
    )
    yield from _extras()
    yield _checked("configuration", _configuration)
    yield _checked("model clearance-mini", lambda: _model("clearance-mini"))
    yield _checked("worker process", _worker)
    yield _memory_limit()
    temporary = Path(tempfile.gettempdir())
    yield _checked("temporary folder", lambda: _writable(temporary))
    yield _disk(temporary)
    if out is not None:
        yield _checked("output folder", lambda: _writable(out))
        yield _disk(_existing(out))
    if index is not None:
        yield _checked("reference index", lambda: _index(index))
    yield _browser()


def _checked(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(State.OK, subject, check())
    except ScreeningError as error:
        return Finding(State.FAULT, subject, str(error))
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        return Finding(State.FAULT, subject, f"{error.strerror or error}{file}")


def _extras() -> Iterator[Finding]:
    for name, extra in EXTRAS.items():
        missing = extra.missing()
        if not missing:
            yield Finding(State.OK, f"extra {name}", f"installed: {extra.purpose}")
            continue
        yield Finding(
            State.WITHOUT,
            f"extra {name}",
            f"not installed ({', '.join(missing)}), so without {extra.purpose}; to install it, run "
            f"`pip install '.[{name}]'` in Clearance's source folder",
        )


def _configuration() -> str:
    from pipeline.screening.config import configs_folder, load_config

    files = sorted(configs_folder().glob("*.yaml"))
    config = load_config(None)
    digest = config.loaded_calibration.digest()
    return f"{len(files)} in {configs_folder()}; default calibration {digest[:12]}"


def _model(name: str) -> str:
    from pipeline.stages.image.embedding_model import load_model

    return f"weights {load_model(name).weights_sha256[:12]} load"


def _worker() -> str:
    """Decodes a picture and a script in a worker process."""
    from PIL import Image

    from pipeline.core.errors import DecodingError
    from pipeline.core.records import Fault
    from pipeline.drops.discover import asset_of
    from pipeline.load.limits import Limits
    from pipeline.load.workers.pool import close_workers, load_all

    limits = Limits()
    with tempfile.TemporaryDirectory(prefix="clearance-doctor-") as name:
        folder = Path(name)
        Image.new("RGB", (64, 64), "grey").save(folder / "picture.png")
        (folder / "script.txt").write_text("A page of a script.\n", encoding="utf-8")
        assets = [asset_of(file, file.name) for file in sorted(folder.iterdir())]
        for chunk in load_all(assets, limits, lambda asset: asset):
            for _, loaded in chunk:
                if isinstance(loaded, Fault):
                    raise DecodingError(loaded.detail)
    close_workers()
    return (
        f"decodes pictures and scripts; bounds: {limits.max_worker_bytes / _GIB:.1f} GiB of memory "
        f"for each process, {limits.max_load_seconds} s and "
        f"{limits.max_file_bytes / _GIB:.1f} GiB for each file"
    )


def _memory_limit() -> Finding:
    try:
        import resource
    except ImportError:
        held = False
    else:
        held = hasattr(resource, "RLIMIT_AS") and platform.system() == "Linux"
    if held:
        return Finding(State.OK, "memory limit", "this system holds a process to it (RLIMIT_AS)")
    return Finding(
        State.WITHOUT,
        "memory limit",
        f"{platform.system()} does not hold a process to a memory limit: a hostile file may use "
        "all memory; screen files of unknown origin on Linux",
    )


def _writable(folder: Path) -> str:
    """Writes a file of 1 MiB, or sees that the folder can be made, and leaves nothing."""
    place = _existing(folder)
    if place.is_dir():
        with tempfile.NamedTemporaryFile(dir=place, prefix=".clearance-doctor-") as file:
            file.write(bytes(_MIB))
            file.flush()
            os.fsync(file.fileno())
        made = "" if place == folder else ", where it will be made"
        return f"{folder} can be written to{made}"
    raise NotADirectoryError(0, "it is a file, and a folder is needed", str(place))


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    amount = f"{free / _GIB:,.1f} GiB free at {folder}"
    if free >= LEAST_FREE_BYTES:
        return Finding(State.OK, "disk", amount)
    return Finding(
        State.WITHOUT,
        "disk",
        f"{amount}; a large drop may need {LEAST_FREE_BYTES / _GIB:.0f} GiB, so free some",
    )


def _index(path: Path) -> str:
    from pipeline.screening.config import load_config
    from pipeline.screening.stage_runner import open_runners
    from reference_index.store import ReferenceIndex

    index = ReferenceIndex.open(path)
    for runner in open_runners(index, load_config(None).stage_settings):
        if runner.absent is not None and runner.absent.reason is not Reason.NO_WORKS:
            raise ConfigError(f"{path} can't be searched in full: {runner.absent.detail}")
    return (
        f"{path} opens at version {index.version}, with {count(len(index.works), 'work')} and its "
        f"model; `clearance index verify {path}` reads all of it"
    )


def _browser() -> Finding:
    if has_browser():
        return Finding(State.OK, "browser", "`clearance review` can open one")
    return Finding(
        State.WITHOUT,
        "browser",
        "no screen here: `clearance review` prints the page's address, and report.html opens in "
        "any browser",
    )
