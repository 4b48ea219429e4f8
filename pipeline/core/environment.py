"""What `run.json` records of the environment: versions of code, interpreter and libraries."""

from __future__ import annotations

import hashlib
import platform
import secrets
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import reference_index

LIBRARIES = (
    "charset-normalizer",
    "datasketch",
    "faiss-cpu",
    "imagehash",
    "lancedb",
    "numpy",
    "open-clip-torch",
    "opencv-python-headless",
    "pandas",
    "pdqhash",
    "pillow",
    "pyarrow",
    "pylance",
    "pypdfium2",
    "scipy",
    "torch",
    "torchvision",
    "xxhash",
)
"""Distributions whose version can change a result; recorded with every run."""


def now() -> str:
    """The current time, UTC, ISO 8601 to the second, with `Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id() -> str:
    """A new run id: the time and 32 random bits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def installed(name: str) -> str:
    """The installed version of a distribution, or `not installed`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@cache
def code_digest() -> str:
    """SHA-256 (hex) over every Python source file of both packages, by relative path.

    Between releases it tells working trees apart that have the same version number.
    """
    digest = hashlib.sha256()
    for root in (Path(__file__).resolve().parents[1], Path(reference_index.__file__).parent):
        for source in sorted(root.rglob("*.py")):
            digest.update(f"{root.name}/{source.relative_to(root).as_posix()}\n".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


def environment() -> dict[str, object]:
    """Code, interpreter, platform and library versions."""
    return {
        "clearance_version": installed("clearance"),
        "code_digest": code_digest(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: installed(name) for name in LIBRARIES},
    }
