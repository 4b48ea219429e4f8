"""Labelled pairs for the calibration: works, their copies and distractors, run through the stages.

The split is by group: a work, its copies and everything that may be another version of it are on
one side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.records import Asset, Fault, Fingerprint, Outcome
from pipeline.drops.discover import asset_of
from pipeline.evaluation.fitting import Pairs, pairs_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript, Span
from pipeline.screening.stage_runner import StageRunner, kind_of, run_stages
from pipeline.stages import Stage, StageSettings
from reference_index.interface import StageEntries, WorkFile
from training.synthetic import picture, random_stack
from training.synthetic.edits import EDITS

Picture = NDArray[np.uint8]

FIRST_SEED = 2**42
"""Seeds of generated pictures start here: beyond those the embedding model was trained on, and
beyond those of the backgrounds that `training.synthetic.edits` lays behind insets."""

LARGEST_SIDE = 512
SMALLEST_SIDE = 128
COPIES = 5
WORDS_A_WORK = 1500
PASSAGES_A_WORK = 4

FURNISHED = 240
FURNITURE = ("watermark", "banner", "frame", "screenshot", "logo", "checker", "letterbox", "frame")
"""What pictures that are no copies of each other share, in pairs of a work and a distractor."""

UNKNOWN_TRUTH = re.compile(r"labelme|splash/")
"""Left out: of unclear licence, and title pictures that are montages of other works there."""

SAME_WORK = (
    # Files whose names differ though they show one work, or whose likeness is no accident.
    (re.compile(r"bridge"), "bridge"),
    (re.compile(r"modes/"), "modes"),
    (re.compile(r"sample-b"), "bridge"),
    (re.compile(r"BMRexplosion"), "explosion"),
    (re.compile(r"terrain/backdrops/([a-z]+)|terrain/.*/([a-z]+)"), ""),
)


@dataclass
class Side:
    """One side of the split.

    Attributes:
        works: each work's one registered file.
        assets: what is screened, with the work that it was copied from, None for a distractor.
    """

    works: list[tuple[str, Loaded]] = field(default_factory=list)
    assets: list[tuple[Loaded, str | None]] = field(default_factory=list)


# Pictures ---------------------------------------------------------------------------------------


def group_of(path: str) -> tuple[str, str]:
    """(group, version): files of one group are never on both sides; of one version, one work."""
    for pattern, name in SAME_WORK:
        match = pattern.search(path)
        if match and name:
            return name, name
        if match:
            return next(g for g in match.groups() if g), path
    stem = Path(path).stem.lower()
    return stem.split("_")[0] or stem, stem


def real_pictures(folder: Path) -> Iterator[tuple[str, str, Picture]]:
    """(group, version, picture) of each picture file under `folder` that is large enough."""
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        path = file.relative_to(folder).as_posix()
        if UNKNOWN_TRUTH.search(path):
            continue
        loaded = load(asset_of(file, path), Limits())
        if isinstance(loaded, Fault) or not isinstance(loaded, LoadedImage):
            continue
        frame = loaded.frames[0]
        if min(frame.shape[:2]) >= SMALLEST_SIDE:
            yield (*group_of(f"{folder.name}/{path}"), _no_larger(frame))


def _no_larger(image: Picture) -> Picture:
    factor = LARGEST_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def picture_sides(
    folders: Iterable[Path], generated: int, rng: np.random.Generator
) -> tuple[Side, Side, int]:
    """The two sides for pictures, and how many groups of real pictures there were.

    Half of the groups on each side are registered; the others are distractors to the index.
    """
    groups: dict[str, dict[str, list[Picture]]] = {}
    for folder in folders:
        for group, version, image in real_pictures(folder):
            groups.setdefault(group, {}).setdefault(version, []).append(image)
    real = len(groups)
    for number in range(generated):
        seed = FIRST_SEED + number
        groups[f"seed {seed}"] = {"": [picture(seed, 384)]}
    sides = (Side(), Side())
    # Real and generated pictures are split separately, so that each side and role has half of both.
    for names in (list(groups)[:real], list(groups)[real:]):
        for number, index in enumerate(rng.permutation(len(names))):
            _assign_picture(sides[number % 2], number % 4 < 2, names[index], groups, rng)
    for number, side in enumerate(sides):
        _furnish(side, FIRST_SEED + generated + number * FURNISHED, rng)
    return (*sides, real)


def _furnish(side: Side, seed: int, rng: np.random.Generator) -> None:
    """Adds works, and distractors that share only a mark or a frame with one of them."""
    distractors = [
        one.frames[0] for one, work in side.assets if work is None and isinstance(one, LoadedImage)
    ]
    for number in range(FURNISHED):
        work = picture(seed + number, 384)
        other = distractors[int(rng.integers(len(distractors)))]
        height, width = work.shape[:2]
        other = np.asarray(
            cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        state = int(rng.integers(2**32))
        name = FURNITURE[number % len(FURNITURE)]
        pair = [_furnished(one, name, np.random.default_rng(state)) for one in (work, other)]
        side.works.append((f"furnished {seed + number}", _loaded(pair[0])))
        side.assets.append((_loaded(pair[1]), None))


def _furnished(image: Picture, name: str, rng: np.random.Generator) -> Picture:
    if name not in ("frame", "logo", "checker"):
        return EDITS[name](image, rng)
    height, width = image.shape[:2]
    drawn = picture(FIRST_SEED * 2 + int(rng.integers(2**40)), 256)
    if name == "logo":
        tall, wide = height // 4, width // 4
        edited = image.copy()
        edited[8 : 8 + tall, -8 - wide : -8] = cv2.resize(drawn, (wide, tall))
        return edited
    edited = np.asarray(cv2.resize(drawn, (width, height)), np.uint8)
    y, x = height // 8, width // 8
    if name == "checker":
        side = int(rng.integers(12, 40))
        rows, columns = np.mgrid[:height, :width] // side
        edited = np.where(((rows + columns) % 2 == 0)[..., None], drawn[0, 0], drawn[-1, -1] ^ 128)
        y, x = (int(length * rng.uniform(0.15, 0.3)) for length in (height, width))
    edited[y:-y, x:-x] = cv2.resize(image, (width - 2 * x, height - 2 * y))
    return edited


def _assign_picture(
    side: Side,
    registered: bool,
    name: str,
    groups: Mapping[str, Mapping[str, Sequence[Picture]]],
    rng: np.random.Generator,
) -> None:
    """A group as a work with its copies, or as a distractor and edits of it."""
    # Of a group with several versions one is taken: whether another is a copy is unclear.
    first, *variants = next(iter(groups[name].values()))
    work = name if registered else None
    if registered:
        side.works.append((name, _loaded(first)))
    elif rng.random() < 0.5:
        side.assets.append((_loaded(first), None))
    side.assets += [(_loaded(image), work) for image in variants[:COPIES]]
    for edits in rng.choice(4, COPIES, p=(0.1, 0.4, 0.3, 0.2)):
        side.assets.append((_loaded(random_stack(first, rng, int(edits))), work))


def _loaded(image: Picture) -> LoadedImage:
    return LoadedImage((np.ascontiguousarray(image, np.uint8),), "PNG")


# Texts ------------------------------------------------------------------------------------------

POEMS = re.compile(r"sonnet|pilgrim|complaint|phoenix")
"""The Passionate Pilgrim prints sonnets of the Sonnets: they go to the same side."""

Change = Callable[[list[str], float, Sequence[str], np.random.Generator], list[str]]


def _swap(
    words: list[str], rate: float, others: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Words replaced by words of another text."""
    return [
        str(others[int(rng.integers(len(others)))]) if rng.random() < rate else w for w in words
    ]


def _drop(
    words: list[str], rate: float, _others: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Words deleted."""
    return [w for w in words if rng.random() >= rate] or words[:1]


def _stuff(
    words: list[str], rate: float, others: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Words of another text inserted."""
    result: list[str] = []
    for word in words:
        result.append(word)
        if rng.random() < rate:
            result.append(str(others[int(rng.integers(len(others)))]))
    return result


def _rename(
    words: list[str], _rate: float, others: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Words in capitals (the speakers) replaced, each by the same one throughout."""
    names = {w: str(others[int(rng.integers(len(others)))]).upper() for w in words if w.isupper()}
    return [names.get(w, w) for w in words]


CHANGES: tuple[Change, ...] = (_swap, _drop, _stuff, _rename)
RATES = (0.0, 0.0, 0.05, 0.1, 0.2, 0.35)
LENGTHS = (10, 15, 25, 40, 80, 150, 400)


def text_sides(folders: Iterable[Path], rng: np.random.Generator) -> tuple[Side, Side, int]:
    """The two sides for scripts, and how many texts there were.

    A whole text goes to one side, and there to the works or to the distractors, because a text
    quotes itself. Then it is cut into parts of `WORDS_A_WORK` words. Passages are planted into the
    distractors' parts.
    """
    groups: dict[str, list[Path]] = {}
    for file in (file for folder in folders for file in sorted(folder.glob("*.txt"))):
        group = "poems" if POEMS.search(file.stem) else file.stem
        groups.setdefault(group, []).append(file)
    if not groups:
        raise SystemExit("The folders of --texts have no .txt file; name folders that have.")
    sides = (Side(), Side())
    names = list(groups)
    for number, index in enumerate(rng.permutation(len(names))):
        side = sides[number % 2]
        for file in groups[names[index]]:
            words = re.findall(r"\S+\s*", file.read_text(encoding="utf-8-sig"))
            for start in range(0, len(words), WORDS_A_WORK):
                part = _script(words[start : start + WORDS_A_WORK])
                if number % 4 < 2:
                    side.works.append((f"{file.stem} {start}", part))
                else:
                    side.assets.append((part, None))
    for side in sides:
        _plant(side, rng)
    return (*sides, sum(len(files) for files in groups.values()))


def _plant(side: Side, rng: np.random.Generator) -> None:
    """Adds, for each work, scripts with a passage of it: changed, and among other words."""
    carriers = [
        re.findall(r"\S+\s*", script.text)
        for script, _ in side.assets
        if isinstance(script, LoadedScript)
    ]
    for name, script in list(side.works):
        if not isinstance(script, LoadedScript):
            raise TypeError("a work of this kind is a script")
        words = re.findall(r"\S+\s*", script.text)
        for length in rng.choice(LENGTHS, PASSAGES_A_WORK, replace=False):
            start = int(rng.integers(0, max(1, len(words) - int(length))))
            passage = words[start : start + int(length)]
            carrier = carriers[int(rng.integers(len(carriers)))]
            for number in rng.permutation(len(CHANGES))[: int(rng.integers(0, 3))]:
                passage = CHANGES[number](passage, float(rng.choice(RATES)), carrier, rng)
            # From a page to a whole script around the passage.
            around = carrier[: int(rng.choice([0, 300, 1000, 3000]))]
            at = int(rng.integers(0, len(around) + 1))
            side.assets.append((_script([*around[:at], *passage, *around[at:]]), name))


def _script(words: Sequence[str]) -> LoadedScript:
    text = "".join(w if w[-1:].isspace() else f"{w} " for w in words)
    return LoadedScript(text, (Span(0, len(text)),), "txt", "utf-8")


# Pairs ------------------------------------------------------------------------------------------


def entries_of(stage: Stage, works: Sequence[tuple[str, Loaded]]) -> StageEntries:
    """The entries that an index of `works` would have for one stage."""
    ordered = sorted(works, key=lambda work: work[0])
    files = tuple(
        WorkFile(name, name, f"{number:064x}", stage.kind.value, "PNG", 1)
        for number, (name, _) in enumerate(ordered)
    )
    batches, owners = [], []
    for number, fingerprint in enumerate(_fingerprints(stage, [loaded for _, loaded in ordered])):
        if fingerprint is not None:
            batches.append(fingerprint.rows)
            owners += [number] * fingerprint.rows.num_rows
    table = pa.Table.from_batches(batches, schema=stage.schema)
    return StageEntries(table, np.asarray(owners, np.int64), files)


def _fingerprints(stage: Stage, loaded: Sequence[Loaded]) -> list[Fingerprint | None]:
    fingerprints: list[Fingerprint | None] = []
    for start in range(0, len(loaded), stage.batch_size):
        answers = stage.fingerprint(loaded[start : start + stage.batch_size])
        fingerprints += [a if isinstance(a, Fingerprint) else None for a in answers]
    return fingerprints


def side_pairs(side: Side, stages: Sequence[Stage], settings: Mapping[str, StageSettings]) -> Pairs:
    """Every pair of an asset and a work on one side, screened as a run does it.

    Raises:
        RuntimeError: if a stage failed, because pairs would seem to have no evidence.
    """
    works = {name for name, _ in side.works}
    runners = [
        StageRunner(
            name=stage.name,
            kind=stage.kind,
            settings=settings[stage.name],
            stage=stage,
            entries=entries_of(stage, side.works),
            works=frozenset(works),
        )
        for stage in stages
    ]
    chunk = [
        (Asset(Path(), str(number), None, kind_of(loaded), None), loaded)
        for number, (loaded, _) in enumerate(side.assets)
    ]
    judged = []
    for (_, work), (_, _, outcomes) in zip(side.assets, run_stages(chunk, runners), strict=True):
        failed = [o.detail for o in outcomes if o.outcome is Outcome.FAILED]
        if failed:
            raise RuntimeError(failed[0])
        judged.append(([] if work is None else [work], outcomes))
    return pairs_of(judged, works, [stage.name for stage in stages])
