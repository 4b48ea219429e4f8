"""Real pairs of texts: editions of one play, and plays on one story by other hands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.passage_screening import index_of, screened
from benchmarks.passage_texts import read_text
from benchmarks.plagdet import covered
from pipeline.screening.config import Config

Label = Literal["same_work", "other_work"]
ABSENT = "not matched"


@dataclass(frozen=True)
class NaturalPair:
    """Two texts.

    Attributes:
        query: is screened.
        reference: is registered.
        label: whether they are of one work.
    """

    query: Path
    reference: Path
    label: Label


def pairs_of(file: Path | None, apart: Sequence[Sequence[Path]]) -> list[NaturalPair]:
    """The pairs of texts of a JSON file, and those given to be apart.

    Args:
        file: a list of objects with `query`, `reference` (paths from the file's folder) and
            `label` (`same_work` or `other_work`); those of pictures are skipped.
        apart: (query, reference) of each pair of different works.
    """
    pairs = []
    if file is not None:
        for one in json.loads(file.read_text(encoding="utf-8")):
            if one["label"] not in ("same_work", "other_work"):
                raise SystemExit(f"{file}: {one['label']!r} is no label of a pair.")
            query, reference = (file.parent / one[side] for side in ("query", "reference"))
            if read_text(reference) is not None:
                pairs.append(NaturalPair(query, reference, one["label"]))
    pairs += [NaturalPair(query, reference, "other_work") for query, reference in apart]
    for pair in pairs:
        for path in (pair.query, pair.reference):
            if not path.is_file():
                raise SystemExit(f"There is no file {path}, which a natural pair names.")
    return pairs


def natural(pairs: Sequence[NaturalPair], out: Path, config: Config) -> list[dict[str, Any]]:
    """The band of every pair, all references in one index, all queries in one drop.

    Each line has the pair's names and label, `band` (of the pair only), `row_band` (of the
    query's row), `risk`, and the shares of both texts that are in reported passages.
    """
    works = _copied([pair.reference for pair in pairs], out / "works")
    drop = _copied([pair.query for pair in pairs], out / "drop")
    index_of(out / "works", out / "index")
    answer = screened(out / "drop", out / "index", out / "run", config)
    lines = []
    for pair in pairs:
        query, work = drop[pair.query], works[pair.reference]
        reported = [
            f.pair for f in answer.findings if (f.pair.script, f.pair.work) == (query, work)
        ]
        risk = answer.risks.get((query, work))
        text = read_text(pair.reference)
        assert text is not None
        lines.append(
            {
                "query": f"{pair.query.parent.name}/{pair.query.stem}",
                "reference": f"{pair.reference.parent.name}/{pair.reference.stem}",
                "label": pair.label,
                "band": ABSENT if risk is None else _band(risk, config),
                "row_band": answer.bands[query],
                "risk": risk,
                "passages": len(reported),
                "query_share": covered((p.start, p.end) for p in reported)
                / len(answer.texts[query]),
                "reference_share": covered((p.work_start, p.work_end) for p in reported)
                / len(text.text),
            }
        )
    return lines


def _band(risk: float, config: Config) -> str:
    if risk >= config.bands.escalate:
        return "escalate"
    return "review" if risk >= config.bands.review else "info"


def _copied(files: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Each file once in the new folder; the names by the files."""
    folder.mkdir(parents=True)
    names: dict[Path, str] = {}
    for file in files:
        if file not in names:
            names[file] = f"t{len(names):04d}{file.suffix.lower()}"
            shutil.copyfile(file, folder / names[file])
    return names
