"""Baselines of the copy benchmark: what each simple fingerprint finds, and their union.

The registered side is read out of the index; the queries go through the index's own stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.records import Fingerprint
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage
from pipeline.load.workers.pool import prefetch
from pipeline.screening.stage_runner import StageRunner, fingerprint_all
from pipeline.stages.image.codebook import codebook
from pipeline.stages.image.feature_rows import pictures
from pipeline.stages.image.matching import Comparison
from pipeline.stages.image.vlad import CODE_BYTES, vlad_codebook

Scores = NDArray[np.float64]
"""(queries, works), higher is nearer; NaN where one of the two has no fingerprint."""

STAGES = ("perceptual_hash", "clip_embedding", "local_features")
NEIGHBOURS = 8
"""Nearest other works whose mean similarity the normalised score is lowered by."""


def bits_of(values: Sequence[bytes]) -> NDArray[np.float32]:
    """Packed bits as ±1, so that a dot product says how many agree."""
    packed = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    return np.where(np.unpackbits(packed, axis=1), 1, -1).astype(np.float32)


def best_of_rows(
    queries: NDArray[np.float32],
    query_of: NDArray[np.int64],
    works: NDArray[np.float32],
    work_of: NDArray[np.int64],
    shape: tuple[int, int],
) -> Scores:
    """The largest dot product of any row of a query with any row of a work."""
    best = np.full(shape, -np.inf)
    if len(queries) and len(works):
        by_work = np.full((len(queries), shape[1]), -np.inf)
        np.maximum.at(by_work.T, work_of, (queries @ works.T).T.astype(np.float64))
        np.maximum.at(best, query_of, by_work)
    return np.where(np.isfinite(best), best, np.nan)


def less_neighbours(cosines: Scores, neighbours: int = NEIGHBOURS) -> Scores:
    """Each cosine less the mean of the query's nearest other works (Pizzi et al. 2022, SSCD).

    Of one work alone there are no others, and the cosines are given back.
    """
    works = cosines.shape[1]
    if works < 2:
        return cosines
    filled = np.nan_to_num(cosines, nan=-1.0)
    count = min(neighbours, works - 1)
    top = -np.sort(-filled, axis=1)[:, : count + 1]
    # For a work among the nearest, itself is left out of the mean, and the next comes in.
    among = filled >= top[:, [count - 1]]
    total = np.where(among, top.sum(axis=1, keepdims=True) - filled, top[:, :-1].sum(1)[:, None])
    lowered: Scores = cosines - total / count
    return lowered


def baselines(
    runners: Sequence[StageRunner], drop: Path, names: Sequence[str], works: Mapping[str, int]
) -> dict[str, Scores]:
    """The scores of each baseline whose fingerprints the index has.

    Args:
        drop: the folder of the queries.
        names: of the queries' files.
        works: the place of each work, by work id.
    """
    ready = {runner.name: runner for runner in runners if runner.stage is not None}
    prints = _prints(ready, drop, names)
    shape = (len(names), len(works))
    scores: dict[str, Scores] = {}
    unrelated = 0.0
    if "perceptual_hash" in ready:
        rows, query_of, stored, work_of = _rows(ready["perceptual_hash"], prints, works)
        phash, pdq = (
            (bits_of(rows[name].to_pylist()), bits_of(stored[name].to_pylist()))
            for name in ("phash", "pdq")
        )
        scores["pHash only"] = (
            -(64 - best_of_rows(phash[0], query_of, phash[1], work_of, shape)) / 2
        )
        variants = pdq[0].reshape(-1, 256)
        of_variant = np.repeat(query_of, len(variants) // max(1, len(query_of)))
        upright = np.ascontiguousarray(pdq[1][:, :256])
        agree = best_of_rows(variants, of_variant, upright, work_of, shape)
        scores["PDQ only, eight rotated and mirrored forms"] = -(256 - agree) / 2
    if "clip_embedding" in ready:
        runner = ready["clip_embedding"]
        rows, query_of, stored, work_of = _rows(runner, prints, works)
        vectors = [
            np.frombuffer(b"".join(table["embedding"].to_pylist()), "<f2")
            .reshape(table.num_rows, -1)
            .astype(np.float32)
            for table in (rows, stored)
        ]
        units = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6) for v in vectors]
        cosines = best_of_rows(units[0], query_of, units[1], work_of, shape)
        scores["embedding only"] = cosines
        scores["embedding, less its nearest others"] = less_neighbours(cosines)
        if runner.stage is not None:
            found = runner.stage.spec.parameters.get("unrelated_cosine")
            unrelated = float(found) if isinstance(found, float) else 0.0
    lowered = scores.get("embedding, less its nearest others")
    if len(scores) == 4:
        phash_score, pdq_score, cosine, _ = scores.values()
        # Each on a scale where chance is about 0 and identity 1.
        each = (1 + phash_score / 32, 1 + pdq_score / 128, (cosine - unrelated) / (1 - unrelated))
        scores["union: the largest of the three, scaled"] = np.fmax(
            np.fmax(each[0], each[1]), each[2]
        )
    if "local_features" in ready:
        name = "VLAD only, minus the nearest others"
        scores[name] = vlad_scores(ready["local_features"], prints, works, shape)
        if lowered is not None:
            scores["VLAD and embedding: the larger of the two, scaled"] = np.fmax(
                scaled(scores[name]), scaled(lowered)
            )
    return scores


def vlad_scores(
    runner: StageRunner,
    prints: Mapping[str, Sequence[Fingerprint | None]],
    works: Mapping[str, int],
    shape: tuple[int, int],
) -> Scores:
    """Similarity of the VLAD vectors of queries, as they are, mirrored, negative and in
    windows, with the coded ones of works, each less its nearest others: the largest.
    """
    rows, query_of, stored, work_of = _rows(runner, prints, works)
    book = vlad_codebook()
    coded = book.decode(
        np.frombuffer(b"".join(stored["aggregate"].to_pylist()), np.uint8).reshape(-1, CODE_BYTES)
    )
    best = np.full(shape, np.nan)
    for query, picture in zip(query_of.tolist(), pictures(rows), strict=True):
        vectors = Comparison(picture, codebook()).vlad_vectors(book)[1]
        each = np.arange(len(vectors))
        similarity = best_of_rows(vectors, each, coded, work_of, (len(vectors), shape[1]))
        best[query] = np.fmax(best[query], np.fmax.reduce(less_neighbours(similarity)))
    return best


def scaled(scores: Scores) -> Scores:
    """Scores divided by their median absolute deviation over all pairs, hardly any of them true."""
    known = scores[np.isfinite(scores)]
    spread = float(np.median(np.abs(known - np.median(known)))) if len(known) else 1.0
    divided: Scores = scores / max(spread, 1e-9)
    return divided


def _prints(
    runners: Mapping[str, StageRunner], drop: Path, names: Sequence[str]
) -> dict[str, list[Fingerprint | None]]:
    """By stage, each query's fingerprint."""
    found: dict[str, list[Fingerprint | None]] = {}
    wanted = [name for name in STAGES if name in runners]
    for chunk in prefetch(names, lambda name: load(asset_of(drop / name, name), Limits())):
        pictures = [loaded for _, loaded in chunk if isinstance(loaded, LoadedImage)]
        for stage_name in wanted:
            stage = runners[stage_name].stage
            assert stage is not None
            answers = iter(fingerprint_all(stage, pictures))
            found.setdefault(stage_name, []).extend(
                answer if isinstance(answer, Fingerprint) else None
                for answer in (
                    next(answers) if isinstance(loaded, LoadedImage) else None
                    for _, loaded in chunk
                )
            )
    return found


def _rows(
    runner: StageRunner,
    prints: Mapping[str, Sequence[Fingerprint | None]],
    works: Mapping[str, int],
) -> tuple[pa.Table, NDArray[np.int64], pa.Table, NDArray[np.int64]]:
    """Rows of the queries with the query of each, and rows of the index with the work of each."""
    assert runner.entries is not None
    assert runner.stage is not None
    own = [(place, one) for place, one in enumerate(prints.get(runner.name, ())) if one is not None]
    rows = pa.Table.from_batches([one.rows for _, one in own], schema=runner.stage.schema)
    query_of = np.repeat([place for place, _ in own], [one.rows.num_rows for _, one in own])
    work_of = [works[runner.entries.files[int(f)].work_id] for f in runner.entries.file_of_row]
    return (
        rows,
        query_of.astype(np.int64),
        runner.entries.rows,
        np.array(work_of, np.int64),
    )
