"""The set of the copy benchmark: pictures of any folders, grouped by work, split, and edited."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.copy_edits import EDITS, Picture
from pipeline.drops.discover import asset_of
from pipeline.load.detail import has_detail
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage
from reference_index.hamming import HammingIndex

Split = Literal["test", "calibration"]
Item = TypeVar("Item")
Answer = TypeVar("Answer")

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SMALLEST_SIDE = 96
LONGEST_SIDE = 1024
HASHED_SIDE = 512
SAME_WORK_BITS = 31
"""PDQ distance up to which two pictures are the same work, as PDQ's authors advise."""
LEAST_QUALITY = 50
"""PDQ quality below which its hash says nothing of sameness."""
LEAST_GROUNDS = 3
JPEG_SHARE = 0.7
ATTEMPTS = 8
"""How often an edit that leaves too little detail is drawn again."""


def in_processes(
    work: Callable[[Item], Answer], items: Sequence[Item], processes: int
) -> list[Answer]:
    """`work` of every item, in order, in as many processes; in this one if `processes` is 1."""
    if processes <= 1:
        return [work(item) for item in items]
    pool = ProcessPoolExecutor(processes, get_context("spawn"), cv2.setNumThreads, (1,))
    with pool:
        return list(pool.map(work, items, chunksize=8))


# Pictures and the works that they show ------------------------------------------------------------


@dataclass(frozen=True)
class Looked:
    """One picture file.

    Attributes:
        digest: SHA-256 (hex) of its bytes.
        pdq: uint8 (8, 32), the hash of each turned and mirrored form; None without enough detail.
        fault: why it is left out, or "".
    """

    file: Path
    digest: str = ""
    pdq: NDArray[np.uint8] | None = None
    fault: str = ""


@dataclass(frozen=True)
class Work:
    """Files that show one work.

    Attributes:
        key: the least digest of its files; what the split and the edits are drawn from.
        file: that file, which stands for the work.
        files: how many there are.
    """

    key: str
    file: Path
    files: int = 1


@dataclass(frozen=True)
class Pool:
    """All works of some folders.

    Attributes:
        works: by key.
        read: picture files that could be used.
        left_out: how many could not, by reason.
    """

    works: tuple[Work, ...]
    read: int
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def merged(self) -> int:
        """Files that show a work of which another file is there."""
        return self.read - len(self.works)


def picture_files(folders: Iterable[Path]) -> list[Path]:
    """Every picture file below `folders`, by its suffix, in order of path."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"There is no folder {folder}; name one that holds pictures.")
        files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
        found += sorted(file for file in files if file.is_file())
    return found


def picture_of(file: Path, longest: int = LONGEST_SIDE) -> Picture | None:
    """A file's first frame as Clearance decodes it, made smaller to `longest`; None if it can't."""
    loaded = load(asset_of(file, file.name), Limits())
    if not isinstance(loaded, LoadedImage):
        return None
    return no_larger(loaded.frames[0], longest)


def no_larger(image: Picture, longest: int) -> Picture:
    """The picture, its longer side at most `longest` pixels."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def look(file: Path) -> Looked:
    """A picture file, read and hashed."""
    import pdqhash

    image = picture_of(file, HASHED_SIDE)
    if image is None:
        return Looked(file, fault="can't be decoded")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        return Looked(file, fault=f"smaller than {SMALLEST_SIDE} pixels")
    if not has_detail(image):
        return Looked(file, fault="too little detail")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    variants, quality = pdqhash.compute_dihedral(np.ascontiguousarray(image))
    if quality < LEAST_QUALITY:
        return Looked(file, digest)
    return Looked(file, digest, np.packbits(np.stack(variants).astype(np.uint8), axis=1))


def pool_of(folders: Iterable[Path], processes: int = 1) -> Pool:
    """The works of every picture below `folders`."""
    looked = in_processes(look, picture_files(folders), processes)
    left_out: dict[str, int] = {}
    for one in looked:
        if one.fault:
            left_out[one.fault] = left_out.get(one.fault, 0) + 1
    good = [one for one in looked if not one.fault]
    return Pool(grouped(good), len(good), left_out)


def grouped(looked: Sequence[Looked]) -> tuple[Work, ...]:
    """Files of equal bytes, or of PDQ hashes near in any turned or mirrored form, as one work."""
    leader = list(range(len(looked)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    first: dict[str, int] = {}
    for place, one in enumerate(looked):
        leader[find(place)] = find(first.setdefault(one.digest, place))
    hashed = [(place, one.pdq) for place, one in enumerate(looked) if one.pdq is not None]
    if hashed:
        places = [place for place, _ in hashed]
        variants = np.stack([pdq for _, pdq in hashed])
        upright = HammingIndex(np.ascontiguousarray(variants[:, 0]))
        hits = upright.within(variants.reshape(-1, variants.shape[2]), SAME_WORK_BITS)
        for query, entry in zip(hits.query.tolist(), hits.entry.tolist(), strict=True):
            leader[find(places[query // 8])] = find(places[entry])
    groups: dict[int, list[Looked]] = {}
    for place, one in enumerate(looked):
        groups.setdefault(find(place), []).append(one)
    works = []
    for group in groups.values():
        least = min(group, key=lambda one: (one.digest, one.file))
        works.append(Work(least.digest, least.file, len(group)))
    return tuple(sorted(works, key=lambda work: work.key))


# The split and the parts of a side ----------------------------------------------------------------


def drawn(seed: int, purpose: str, key: str) -> int:
    """A number of 64 bits that depends on these three alone."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose} {key}".encode()).digest()[:8], "big")


def split_of(key: str, seed: int) -> Split:
    """The side that a work is on, whatever other works there are."""
    return "test" if drawn(seed, "split", key) % 2 else "calibration"


@dataclass(frozen=True)
class Query:
    """One edited picture.

    Attributes:
        name: of its file in the drop; says nothing of what it holds.
        edit: a name of `EDITS`.
        source: the work that it was made from.
        copied: whether that work is registered.
        seed: of the edit.
        grounds: other pictures that the edit uses.
    """

    name: str
    edit: str
    source: Work
    copied: bool
    seed: int
    grounds: tuple[Path, ...]


@dataclass(frozen=True)
class CopySet:
    """One side: what is registered and what is asked.

    Attributes:
        works: registered.
        distractors: never registered; edited queries are made of them, and they are screened clean.
        grounds: laid behind insets; neither registered nor asked.
        queries: half of works, half of distractors, over the edits evenly.
    """

    works: tuple[Work, ...]
    distractors: tuple[Work, ...]
    grounds: tuple[Work, ...]
    queries: tuple[Query, ...]


def copy_set(pool: Sequence[Work], split: Split, seed: int, works: int, queries: int) -> CopySet:
    """The set of one side. Of too few pictures, works and queries are taken proportionally fewer.

    At least half as many distractors are wanted as there are queries of them; pictures left over
    are distractors too.
    """
    side = sorted(
        (work for work in pool if split_of(work.key, seed) == split),
        key=lambda work: drawn(seed, "part", work.key),
    )
    wanted = (works, max(1, queries // 4), max(LEAST_GROUNDS, queries // 16))
    share = min(1.0, len(side) / sum(wanted))
    grounds = max(LEAST_GROUNDS, int(wanted[2] * share))
    registered = min(max(1, int(wanted[0] * share)), len(side) - grounds - 1)
    if registered < 1:
        raise SystemExit(
            f"{len(side)} works on the side {split!r} are too few; name more pictures."
        )
    parts = (
        tuple(side[:registered]),
        tuple(side[registered + grounds :]),
        tuple(side[registered : registered + grounds]),
    )
    return CopySet(*parts, _queries(*parts, seed, max(1, int(queries * share) // 2)))


def _queries(
    works: Sequence[Work],
    distractors: Sequence[Work],
    grounds: Sequence[Work],
    seed: int,
    of_each: int,
) -> tuple[Query, ...]:
    made = []
    # Shuffled, so that fewer queries than edits are no choice of the first ones.
    names = sorted(EDITS, key=lambda name: drawn(seed, "edits", name))
    for sources, copied in ((works, True), (distractors, False)):
        for number in range(of_each):
            edit = names[number % len(names)]
            source = sources[number % len(sources)]
            # Twice round the distractors, and the same one under the same edit is another picture.
            key = f"{source.key} {edit} {number // len(sources)}"
            rng = np.random.default_rng(drawn(seed, "grounds", key))
            places = rng.permutation(len(grounds))[: EDITS[edit].grounds]
            behind = tuple(grounds[int(place)].file for place in places)
            made.append(
                Query("", edit, source, copied, drawn(seed, "edit", key), behind),
            )
    made.sort(key=lambda query: drawn(seed, "order", f"{query.seed}"))
    return tuple(
        Query(
            f"q{number:05d}{'.jpg' if _as_jpeg(one) else '.png'}",
            one.edit,
            one.source,
            one.copied,
            one.seed,
            one.grounds,
        )
        for number, one in enumerate(made)
    )


def _as_jpeg(query: Query) -> bool:
    return drawn(0, "format", str(query.seed)) % 100 < 100 * JPEG_SHARE


# Files --------------------------------------------------------------------------------------------


def edited(query: Query) -> Picture:
    """The picture of a query."""
    source, *grounds = (_needed(file) for file in (query.source.file, *query.grounds))
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([query.seed, attempt])
        image = EDITS[query.edit].edit(source, rng, grounds)
        # Of a picture in which nothing is left, nobody could say what it was copied from.
        if has_detail(image):
            break
    return image


def _needed(file: Path) -> Picture:
    image = picture_of(file)
    if image is None:
        raise SystemExit(f"{file} could be read before and can't be now; leave it as it is.")
    return image


def _write_query(job: tuple[Query, Path]) -> None:
    query, folder = job
    suffix = Path(query.name).suffix
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90] if suffix == ".jpg" else []
    ok, data = cv2.imencode(suffix, edited(query)[..., ::-1], quality)
    assert ok
    (folder / query.name).write_bytes(data.tobytes())


def write_queries(queries: Sequence[Query], folder: Path, processes: int = 1) -> None:
    """Every query as a file of the new folder `folder`: JPEG of quality 90, or PNG."""
    folder.mkdir()
    in_processes(_write_query, [(query, folder) for query in queries], processes)


def copy_files(works: Sequence[Work], folder: Path) -> dict[str, Work]:
    """Each work's file, as it is, in the new folder `folder`; the works by the files' names."""
    folder.mkdir()
    named = {}
    for number, work in enumerate(works):
        name = f"{number:05d}{work.file.suffix.lower()}"
        shutil.copyfile(work.file, folder / name)
        named[name] = work
    return named
