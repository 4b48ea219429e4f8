"""Where a drop or a run's results lie: a path on this machine, or a place in object storage.

A place is in object storage only if it is written as a URL, so nothing leaves or enters the
machine that was not asked for by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import DropError
from pipeline.core.wording.visible import visible

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
# What pathlib makes of a URL.
_FLATTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """A place in object storage.

    Attributes:
        bucket: the bucket's name.
        key: what follows it, without the first `/`: an object's key, or the beginning of the keys
            of many; empty for the whole bucket. Taken as it stands: nothing in it is decoded.
    """

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"

    def __truediv__(self, name: str) -> ObjectPlace:
        return ObjectPlace(self.bucket, f"{self.prefix}{name}")

    @property
    def prefix(self) -> str:
        """What the keys of everything below this place begin with."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    @property
    def name(self) -> str:
        """The last part, as of a path."""
        return self.key.rstrip("/").rpartition("/")[2] or self.bucket


Place = Path | ObjectPlace


def place(text: str | Path | ObjectPlace) -> Place:
    """The place that a user wrote.

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
        # Not shown: people put secrets before an @.
        raise DropError(
            "An s3:// place begins with the name of a bucket, as in s3://BUCKET/PREFIX; "
            "credentials are not part of it, see docs/object-storage.md."
        )
    return ObjectPlace(bucket, key)


def refuse_url(path: Path) -> None:
    """Raises DropError if `path` was written as a URL, where only a path will do."""
    if _FLATTENED.match(str(path)):
        raise DropError(
            f"{visible(str(path))} reads as a URL, and only a drop and the results of a run may "
            "lie in object storage; name a path on this machine, from its / on."
        )


def is_inside(inner: Place, outer: Place) -> bool:
    """Whether `inner` is `outer` or lies below it, links followed."""
    if isinstance(inner, Path) and isinstance(outer, Path):
        place, root = inner.resolve(), outer.resolve()
        return place == root or root in place.parents
    if isinstance(inner, ObjectPlace) and isinstance(outer, ObjectPlace):
        return inner.bucket == outer.bucket and inner.prefix.startswith(outer.prefix)
    return False


def absolute(where: Place) -> str:
    """The place as a run records it."""
    return str(where.resolve() if isinstance(where, Path) else where)


def name_of(where: Place) -> str:
    """The last part of a place, for people."""
    return where.resolve().name if isinstance(where, Path) else where.name
