"""A drop of damaged and malicious files, generated from a seed; nothing is downloaded.

A kind is a function that yields names and contents; `make` writes them to a folder of the kind's
name. Pictures, scripts, and special files and names have a module each.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

Content = bytes | Callable[[Path], None]
"""The bytes of a file, or a function that creates it at a path."""


class Expect(Enum):
    """The expected row of such a file."""

    REFUSED = "never no_match: it can't be screened, or only in part"
    EITHER = "any result"
    GOOD = "screened: the content is valid, only the name is odd"


@dataclass(frozen=True)
class Plan:
    """Parameters of a corpus.

    Attributes:
        seed: of all random choices.
        port: of a loopback listener that nothing may contact.
        outside: a folder next to the drop, with a secret file in it.
        large: full size of large files; otherwise a hundredth of it.
    """

    seed: int
    port: int
    outside: Path
    large: bool

    def random(self, name: object) -> random.Random:
        return random.Random(f"{self.seed}/{name}")

    def size(self, count: int) -> int:
        return count if self.large else max(1, count // 100)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Generator = Callable[[Plan], Iterator[tuple[str | bytes, Content]]]


@dataclass(frozen=True)
class Kind:
    expect: Expect
    generator: Generator


KINDS: dict[str, Kind] = {}


def kind(expect: Expect) -> Callable[[Generator], Generator]:
    """Registers a generator by its name."""

    def registered(generator: Generator) -> Generator:
        KINDS[generator.__name__] = Kind(expect, generator)
        return generator

    return registered


@dataclass(frozen=True)
class CorpusFile:
    """A file of the corpus: its path in the table, and its kind."""

    path: str
    kind: str
    expect: Expect


def make(drop: Path, plan: Plan, limit: int | None = None) -> list[CorpusFile]:
    """Writes the corpus to the new folder `drop`: `limit` files of each kind, or all."""
    import hostile_files
    import hostile_pictures
    import hostile_scripts

    from pipeline.drops.discover import text_of_path

    assert hostile_files, hostile_pictures
    assert hostile_scripts
    drop.mkdir()
    plan.outside.mkdir(exist_ok=True)
    (plan.outside / "secret.txt").write_text("The secret is outside of the drop. " * 20)
    files = []
    for name, file_kind in KINDS.items():
        folder = drop / name
        folder.mkdir()
        for count, (file, content) in enumerate(file_kind.generator(plan)):
            if limit is not None and count >= limit:
                break
            path = folder / os.fsdecode(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
            files.append(
                CorpusFile(text_of_path(str(path.relative_to(drop))), name, file_kind.expect)
            )
    return files
