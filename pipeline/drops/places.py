"""Places of a drop or of a run's results: a path on this machine, or an s3:// URL.

The network is used only for a place written as a URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import DropError
from pipeline.core.wording.text import visible

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
# A URL after it went through pathlib, which merges slashes.
_FLATTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """A place in object storage.

    Attributes:
        bucket: the bucket's name.
        key: what follows it, without the first `/`: an object's key, or a prefix of keys; empty for
            the whole bucket. It is not URL-decoded.
    """

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"

    def __truediv__(self, name: str) -> ObjectPlace:
        return ObjectPlace(self.bucket, f"{self.prefix}{name}")

    @property
    def prefix(self) -> str:
        """What the keys of all objects below this place begin with."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    @property
    def name(self) -> str:
        """The last part, as `Path.name`."""
        return self.key.rstrip("/").rpartition("/")[2] or self.bucket


Place = Path | ObjectPlace


def place(text: str | Path | ObjectPlace) -> Place:
    """Parses a place: a path or an s3:// URL.

    Raises:
        DropError: if it is a URL of a kind that is not supported, or names no bucket.
    """
    if not isinstance(text, str):
        return text
    url = _URL.fullmatch(text)
    if url is None:
        return Path(text)
    scheme, rest = url[1].lower(), url[2]
    if scheme == "file":
        raise DropError("A place on this machine is written as its path, without file://.")
    if scheme != "s3":
        raise DropError(
            f"Places of the kind {scheme}:// are not supported; name a path on this machine or "
            "s3://BUCKET/PREFIX."
        )
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        # The URL is not shown: people put credentials before an @.
        raise DropError(
            "An s3:// place begins with the name of a bucket, as in s3://BUCKET/PREFIX; "
            "credentials are not part of it, see docs/object-storage.md."
        )
    return ObjectPlace(bucket, key)


def refuse_url(path: Path) -> None:
    """Raises DropError if `path` was written as a URL, where only a path is allowed."""
    if _FLATTENED.match(str(path)):
        raise DropError(
            f"{visible(str(path))} reads as a URL, and only a drop and the results of a run can "
            "be in object storage; name an absolute path on this machine."
        )


def is_inside(inner: Place, outer: Place) -> bool:
    """Whether `inner` is `outer` or below it; symbolic links are resolved."""
    if isinstance(inner, Path) and isinstance(outer, Path):
        path, root = inner.resolve(), outer.resolve()
        return path == root or root in path.parents
    if isinstance(inner, ObjectPlace) and isinstance(outer, ObjectPlace):
        return inner.bucket == outer.bucket and inner.prefix.startswith(outer.prefix)
    return False


def absolute(place: Place) -> str:
    """The place as recorded in run.json: an absolute path or a URL."""
    return str(place.resolve() if isinstance(place, Path) else place)


def name_of(place: Place) -> str:
    """The last part of a place, to be displayed."""
    return place.resolve().name if isinstance(place, Path) else place.name
