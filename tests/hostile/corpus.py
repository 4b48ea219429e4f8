"""A drop of files that are damaged or made to do harm: seeded, made at test time, nothing fetched.

A kind is a function that yields names and contents; `make` writes them to a folder of the kind's
name. Pictures, scripts, and what is no ordinary file have a module each.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

Content = bytes | Callable[[Path], None]
"""What a file holds, or what makes it, given the path it is to have."""


class Expect(Enum):
    """What a row of such a file may say."""

    REFUSED = "never no_match: it can't be judged, or not wholly"
    EITHER = "whatever is true of what can be read in it"
    GOOD = "screened: the content is sound, whatever the name"


@dataclass(frozen=True)
class Plan:
    """What a corpus is made with.

    Attributes:
        seed: of everything that is random.
        port: of the loopback listener that nothing may contact.
        outside: a folder beside the drop, with a secret in it.
        large: whether files are as large as they are meant to be; else, a hundredth of it.
    """

    seed: int
    port: int
    outside: Path
    large: bool

    def random(self, what: object) -> random.Random:
        return random.Random(f"{self.seed}/{what}")

    def size(self, count: int) -> int:
        return count if self.large else max(1, count // 100)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Maker = Callable[[Plan], Iterator[tuple[str | bytes, Content]]]


@dataclass(frozen=True)
class Kind:
    expect: Expect
    maker: Maker


KINDS: dict[str, Kind] = {}


def kind(expect: Expect) -> Callable[[Maker], Maker]:
    """Registers a maker under its own name."""

    def registered(maker: Maker) -> Maker:
        KINDS[maker.__name__] = Kind(expect, maker)
        return maker

    return registered


@dataclass(frozen=True)
class Made:
    """A file of the corpus: its path from the drop, as the table has it, and its kind."""

    path: str
    kind: str
    expect: Expect


def make(drop: Path, plan: Plan, most: int | None = None) -> list[Made]:
    """Writes the corpus to the new folder `drop`: of each kind `most` files, or all."""
    import hostile_files
    import hostile_pictures
    import hostile_scripts

    from pipeline.drops.discover import text_of_path

    assert hostile_files, hostile_pictures
    assert hostile_scripts
    drop.mkdir()
    plan.outside.mkdir(exist_ok=True)
    (plan.outside / "secret.txt").write_text("The secret lies outside of the drop. " * 20)
    made = []
    for name, which in KINDS.items():
        folder = drop / name
        folder.mkdir()
        for count, (file, content) in enumerate(which.maker(plan)):
            if most is not None and count >= most:
                break
            path = folder / os.fsdecode(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
            made.append(Made(text_of_path(str(path.relative_to(drop))), name, which.expect))
    return made
