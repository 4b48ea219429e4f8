"""Texts of the passage benchmark: read from any folders, grouped by work, split, cut into blocks.

A text is a play or a script in plain text. Blank lines part its blocks; a block whose first line is
short and in capitals (`ORSINO`, `MAR.`) is a speech with its cue.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript

Split = Literal["test", "calibration"]

SUFFIXES = frozenset({".txt", ".md", ".fountain"})
"""Of formats whose text is the file's own characters, so that truth has one meaning."""
LEAST_WORDS = 2000
"""A text shorter than this can't lend a long passage and is left out."""
SAME_WORK = 0.02
"""Share of the shorter text's runs of five words that two texts of one work have in common; of the
plays that it was looked at on, different works share at most 0.004, and editions at least 0.11."""
RUN_WORDS = 5
LONGEST_CUE = 40

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_BLOCK = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")


@dataclass(frozen=True)
class Block:
    """Lines without a blank one between them, by their place in the text.

    Attributes:
        start, end: of the whole block, in characters.
        body: where it begins without its cue; `start` if it has none.
    """

    start: int
    end: int
    body: int

    @property
    def spoken(self) -> bool:
        """Whether it has a cue."""
        return self.body > self.start


@dataclass(frozen=True)
class Text:
    """One text.

    Attributes:
        file: its path.
        text: its characters as Clearance decodes them.
    """

    file: Path
    text: str

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex) of its characters."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def words(self) -> NDArray[np.int64]:
        """int64 (words, 2): start and end of each word."""
        spans = [match.span() for match in _WORD.finditer(self.text)]
        return np.array(spans, np.int64).reshape(-1, 2)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block, in order."""
        return tuple(
            Block(match.start(), match.end(), match.start() + cue_length(match.group()))
            for match in _BLOCK.finditer(self.text)
        )

    @cached_property
    def runs(self) -> frozenset[int]:
        """Hashes of its runs of `RUN_WORDS` words, letters only, in lower case."""
        return frozenset(run_hashes(self.text, RUN_WORDS))


@dataclass(frozen=True)
class Pool:
    """All works of some folders.

    Attributes:
        works: the editions of each work, the longest first.
        left_out: files that are of no use, by reason.
    """

    works: tuple[tuple[Text, ...], ...]
    left_out: dict[str, int]

    @property
    def read(self) -> int:
        """Texts that could be used."""
        return sum(len(editions) for editions in self.works)


def cue_length(block: str) -> int:
    """Characters of a block's first line if that is a cue, with its line feed; else 0."""
    first, feed, rest = block.partition("\n")
    name = first.strip()
    letters = [c for c in name if c.isalpha()]
    is_cue = (
        bool(feed and rest.strip())
        and len(name) <= LONGEST_CUE
        and len(letters) > 1
        and name.upper() == name
    )
    return len(first) + 1 if is_cue else 0


def plain_words(text: str) -> list[str]:
    """Its words in small letters, for comparisons that stand outside of what is measured."""
    return [match.group() for match in _WORD.finditer(text.casefold().replace("ſ", "s"))]


def run_hashes(text: str, length: int) -> list[int]:
    """A hash of each run of `length` words, in order; the same in every process."""
    words = plain_words(text)
    known: dict[str, int] = {}
    for word in words:
        if word not in known:
            known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
    values = np.array([known[word] for word in words], np.uint64)
    if len(values) < length:
        return []
    mixed = np.zeros(len(values) - length + 1, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(length):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + values[place : place + len(mixed)]
            mixed ^= mixed >> np.uint64(29)
    listed: list[int] = mixed.tolist()
    return listed


def read_text(file: Path) -> Text | None:
    """A file's text; None if Clearance can't read it."""
    loaded = load(asset_of(file, file.name), Limits())
    return Text(file, loaded.text) if isinstance(loaded, LoadedScript) else None


def text_files(folders: Iterable[Path]) -> list[Path]:
    """Every file of plain text below `folders`, by its suffix, in order of path."""
    paths: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"There is no folder {folder}; name one that holds texts.")
        files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
        paths += sorted(file for file in files if file.is_file())
    return paths


def pool_of(folders: Iterable[Path]) -> Pool:
    """The works of every text below `folders`."""
    left_out: dict[str, int] = {}
    texts = []
    for file in text_files(folders):
        text = read_text(file)
        if text is None:
            left_out["can't be read"] = left_out.get("can't be read", 0) + 1
        elif len(text.words) < LEAST_WORDS:
            why = f"shorter than {LEAST_WORDS:,} words"
            left_out[why] = left_out.get(why, 0) + 1
        else:
            texts.append(text)
    return Pool(grouped(texts), left_out)


def grouped(texts: Sequence[Text]) -> tuple[tuple[Text, ...], ...]:
    """Editions of one work together: texts that share more runs of words than chance would."""
    leader = list(range(len(texts)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for place, one in enumerate(texts):
        for before, other in enumerate(texts[:place]):
            least = min(len(one.runs), len(other.runs))
            if least and len(one.runs & other.runs) >= SAME_WORK * least:
                leader[find(place)] = find(before)
    groups: dict[int, list[Text]] = {}
    for place, one in enumerate(texts):
        groups.setdefault(find(place), []).append(one)
    works = [
        tuple(sorted(group, key=lambda text: (-len(text.words), text.key)))
        for group in groups.values()
    ]
    return tuple(sorted(works, key=lambda editions: editions[0].key))


def drawn(seed: int, purpose: str, key: str) -> int:
    """A number of 64 bits that depends only on these three."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose} {key}".encode()).digest()[:8], "big")


def work_key(editions: Sequence[Text]) -> str:
    """What a work is drawn by: the least key of its editions."""
    return min(text.key for text in editions)


@dataclass(frozen=True)
class Side:
    """One side of the split.

    Attributes:
        works: to be registered, the longest edition of each.
        distractors: never registered; hosts and clean scripts are cut from them.
    """

    works: tuple[Text, ...]
    distractors: tuple[Text, ...]


def split_of(key: str, seed: int) -> Split:
    """The side that a work is on, regardless of other works."""
    return "test" if drawn(seed, "split", key) % 2 else "calibration"


def side_of(pool: Pool, split: Split | None, seed: int, registered: float) -> Side:
    """The works of one side, or of both if `split` is None; a share of `registered` of them is to
    be registered.
    """
    keyed = sorted(
        ((work_key(editions), editions[0]) for editions in pool.works),
        key=lambda work: drawn(seed, "part", work[0]),
    )
    side = [text for key, text in keyed if split in (None, split_of(key, seed))]
    if len(side) < 3:
        raise SystemExit(
            f"There are too few works ({len(side)} of {len(pool.works)} on this side); name "
            f"folders with more texts of at least {LEAST_WORDS:,} words, or another --seed."
        )
    count = min(len(side) - 2, max(1, round(registered * len(side))))
    return Side(tuple(side[:count]), tuple(side[count:]))
