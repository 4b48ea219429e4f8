"""The passage benchmark's run: works registered, scripts screened, the tables of the run read.

Everything goes through the public ways: an index is made and filled, a folder is screened, and the
tables of that run are read back. What the stages do inside does not show here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.passage_formats import Places, write_script
from benchmarks.passage_planting import Planted, Script
from benchmarks.passage_texts import Text
from benchmarks.plagdet import Pair
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript
from pipeline.results.files import StoredRun, read_run
from pipeline.screening.config import Config
from pipeline.screening.register import add_works, create_index
from pipeline.screening.screen import screen

FLAGGED = ("escalate", "review")
OBFUSCATION = ("obfuscat", "disguise")
"""A column whose name has one of these in it reports obfuscated characters."""


@dataclass(frozen=True)
class Case:
    """One planted passage as truth.

    Attributes:
        script: in which it was planted.
        file: the script's name in the drop.
        planted: what was lifted.
        pairs: a stretch of the script and one of the work for each of its pieces.
    """

    script: Script
    file: str
    planted: Planted
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Finding:
    """One row of passages.parquet.

    Attributes:
        pair: the two stretches.
        words, identity: as reported.
        obfuscation: what the row reports of obfuscated characters, "" for nothing.
    """

    pair: Pair
    words: int
    identity: float
    obfuscation: str = ""


@dataclass(frozen=True)
class Screened:
    """One drop, screened.

    Attributes:
        findings: every reported passage.
        bands: of each file's row.
        risks: of each file and work with evidence.
        obfuscation: as in `Finding`, of the file's row or its match with a work.
        tells_obfuscation: whether any table has a column for it.
        texts: what Clearance decoded, by file.
    """

    findings: tuple[Finding, ...]
    bands: Mapping[str, str]
    risks: Mapping[tuple[str, str], float]
    obfuscation: Mapping[str, str] = field(default_factory=dict)
    tells_obfuscation: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)


def write_works(works: Sequence[Text], folder: Path) -> dict[str, str]:
    """Each work as a file of the new folder; the files' names by the texts' keys."""
    folder.mkdir(parents=True)
    names = {}
    for place, work in enumerate(works):
        name = f"w{place:04d}.txt"
        (folder / name).write_bytes(work.text.encode())
        names[work.key] = name
    return names


def write_drop(
    scripts: Sequence[Script], folder: Path, names: Mapping[str, str]
) -> tuple[list[Case], list[str]]:
    """Every script as a file of the new folder; the truth, and what could not be written and why.

    Args:
        names: of the works' files, by the works' keys.
    """
    folder.mkdir(parents=True)
    cases: list[Case] = []
    left_out = []
    for script in scripts:
        try:
            file, places = write_script(script, folder)
        except ValueError as error:
            left_out.append(f"{script.way}, {script.length} words: {error}")
            for wrote in folder.glob(f"{script.name}.*"):
                wrote.unlink()
            continue
        cases += [_case(script, file.name, one, places, names) for one in script.planted]
    return cases, left_out


def _case(
    script: Script, file: str, planted: Planted, places: Places, names: Mapping[str, str]
) -> Case:
    work = names[planted.work.key]
    # The whole of what was lifted, though a word at its edge may have been exchanged since.
    sources = (
        [script.tracked.source_of(piece) for piece in planted.pieces]
        if len(planted.pieces) > 1
        else [(planted.start, planted.end)]
    )
    return Case(
        script,
        file,
        planted,
        tuple(
            Pair(file, *places[piece], work, *source)
            for piece, source in zip(planted.pieces, sources, strict=True)
        ),
    )


def index_of(works: Path, index: Path) -> None:
    """A new index of the works of a folder, each file one."""
    create_index(index)
    add_works(index, works)


def screened(drop: Path, index: Path, out: Path, config: Config) -> Screened:
    """What a run over the drop reports."""
    screen(drop, index, out, config=config)
    run = read_run(out)
    texts = {}
    for path in run.table["asset_path"]:
        loaded = load(asset_of(drop / path, path), Limits())
        texts[str(path)] = loaded.text if isinstance(loaded, LoadedScript) else ""
    return Screened(
        findings=tuple(findings_of(run)),
        bands={str(row.asset_path): str(row.band) for row in run.table.itertuples()},
        risks={
            (str(row["asset_path"]), str(row["work_id"])): float(row["risk"])
            for row in run.matches.to_dict("records")
        },
        obfuscation=_obfuscation(run),
        tells_obfuscation=any(
            _columns(frame.columns) for frame in (run.table, run.matches, run.passages)
        ),
        texts=texts,
    )


def findings_of(run: StoredRun) -> list[Finding]:
    """The rows of passages.parquet; rows of no characters are left out."""
    columns = _columns(run.passages.columns)
    findings = []
    for row in run.passages.to_dict("records"):
        pair = Pair(
            str(row["asset_path"]),
            int(row["asset_start"]),
            int(row["asset_end"]),
            str(row["work_id"]),
            int(row["work_start"]),
            int(row["work_end"]),
        )
        if pair.start < pair.end and pair.work_start < pair.work_end:
            obfuscation = "; ".join(filter(None, (cell_text(row[column]) for column in columns)))
            findings.append(Finding(pair, int(row["words"]), float(row["identity"]), obfuscation))
    return findings


def _columns(names: Iterable[Any]) -> list[str]:
    return [str(name) for name in names if any(part in str(name) for part in OBFUSCATION)]


def cell_text(value: Any) -> str:
    """A cell as text; "" if it is missing, 0 or empty."""
    import pandas as pd

    if isinstance(value, np.ndarray | list | tuple):
        return ", ".join(filter(None, map(cell_text, value)))
    if isinstance(value, Mapping):
        parts = {str(name): cell_text(one) for name, one in value.items()}
        return ", ".join(f"{name}: {one}" for name, one in parts.items() if one)
    if pd.isna(value) or value in ("", 0, "[]", "{}"):
        return ""
    return str(value)


def _obfuscation(run: StoredRun) -> dict[str, str]:
    by_path: dict[str, str] = {}
    for frame in (run.table, run.matches):
        for column in _columns(frame.columns):
            for path, value in zip(frame["asset_path"], frame[column], strict=True):
                if obfuscation := cell_text(value):
                    by_path.setdefault(str(path), obfuscation)
    return by_path
