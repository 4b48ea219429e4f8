"""CLIP embedding similarity: scale, limits, frames and damage, with embeddings known by hand."""

from __future__ import annotations

import base64
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from stage_samples import entries, image, pictures

from pipeline.core.errors import ModelError, Reason
from pipeline.core.records import Abstention, Fingerprint
from pipeline.stages import clip_embedding
from pipeline.stages.clip_embedding import (
    BACKGROUND_WORKS,
    LARGEST_SHARE,
    ClipEmbedding,
    ClipEmbeddingSettings,
)
from pipeline.stages.image.embedding_model import EmbeddingModel
from pipeline.stages.image.similarity_scale import Scale
from reference_index.errors import SpecMismatchError

UNRELATED = 0.5
DIM = 48


def thumbnails(inputs):
    """An encoder of which the result is known: the picture's 4 × 4 thumbnail."""
    return torch.nn.functional.avg_pool2d(inputs, 4).flatten(1)


MODEL = EmbeddingModel("thumb", thumbnails, (16, 16), (0.5,) * 3, (0.25,) * 3, "squash", 0, "aa")


@pytest.fixture(scope="module")
def stage():
    return ClipEmbedding(MODEL, UNRELATED, 0.9)


@pytest.fixture(scope="module")
def drawn():
    return pictures(6)


def fingerprint_of(*vectors):
    """A fingerprint of these vectors, a frame each."""
    rows = np.zeros((len(vectors), DIM))
    for row, vector in zip(rows, vectors, strict=True):
        row[: len(vector)] = vector
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values = [row.tobytes() for row in rows.astype("<f2")]
    arrays = [pa.array(range(len(values)), pa.int32()), pa.array(values, pa.binary())]
    batch = pa.RecordBatch.from_arrays(arrays, schema=ClipEmbedding.schema)
    return Fingerprint("clip_embedding", batch)


def at(cosine):
    return [cosine, math.sqrt(1 - cosine * cosine)]


def search(stage, query, stored, **settings):
    [evidence] = stage.search([query], entries(stage, stored), ClipEmbeddingSettings(**settings))
    return evidence


def test_rows_hold_the_models_unit_vectors(stage, drawn):
    [fingerprint] = stage.fingerprint([image(*drawn[:3])])
    stored = np.frombuffer(b"".join(fingerprint.rows.column("embedding").to_pylist()), "<f2")
    wanted = MODEL.embed(drawn[:3], 16)
    np.testing.assert_allclose(stored.reshape(3, DIM), wanted, atol=1e-3)
    assert fingerprint.rows.column("frame").to_pylist() == [0, 1, 2]


def test_blank_frames_are_left_out_and_the_others_keep_their_numbers(stage, drawn):
    white = np.full((60, 60, 3), 255, np.uint8)
    answers = stage.fingerprint(
        [image(white), image(white, drawn[0], white, drawn[1]), image(drawn[2])]
    )
    assert isinstance(answers[0], Abstention)
    assert answers[0].reason is Reason.TOO_LITTLE_DETAIL
    assert [one.rows.column("frame").to_pylist() for one in answers[1:]] == [[1, 3], [0]]
    work = stage.fingerprint([image(drawn[1])])
    [match] = search(stage, answers[1], work)
    assert match.measures["clip_frame"] == 3
    assert match.measures["clip_similarity"] == pytest.approx(1, abs=1e-5)


def test_more_frames_than_a_batch(stage, drawn):
    [many] = stage.fingerprint([image(*(drawn * 7))])
    [few] = stage.fingerprint([image(*drawn)])
    assert many.rows.column("embedding").to_pylist() == (
        few.rows.column("embedding").to_pylist() * 7
    )


@pytest.mark.parametrize(
    ("cosine", "similarity"),
    [(-1, 0), (0, 0), (UNRELATED, 0), (0.75, 0.5), (0.95, 0.9), (1, 1), (1.0000001, 1)],
)
def test_the_models_own_scale(stage, cosine, similarity):
    assert stage.scaled_similarity(cosine) == pytest.approx(similarity)


@pytest.mark.parametrize("cosine", [0.6, 0.8, 0.99])
def test_min_likeness_at_just_below_and_just_above_the_bound(stage, cosine):
    query, work = fingerprint_of([1.0]), fingerprint_of(at(cosine))
    [match] = search(stage, query, [work], min_likeness=0.0)
    similarity = match.measures["clip_similarity"]
    assert similarity == pytest.approx(cosine, abs=1e-3)
    assert match.measures["clip_likeness"] == pytest.approx(2 * similarity - 1, abs=1e-6)
    # The value in the table is the one that is compared with the bound.
    exact = match.measures["clip_likeness"]
    for least, near in ((exact, 1), (np.nextafter(exact, 0), 1), (np.nextafter(exact, 1), 0)):
        assert len(search(stage, query, [work], min_likeness=float(least))) == near


def test_limits_that_make_no_sense_are_refused():
    for bad in ({"top_k": 0}, {"min_likeness": 1.1}, {"min_likeness": -0.1}, {"other": 1}):
        with pytest.raises(ValidationError):
            ClipEmbeddingSettings(**bad)


def test_the_nearest_works_come_first_and_at_most_top_k(stage):
    stored = [fingerprint_of(at(cosine)) for cosine in (0.7, 0.95, 0.4, 0.95, 0.8)]
    evidence = search(stage, fingerprint_of([1.0]), stored)
    assert [one.work_id for one in evidence] == ["work-01", "work-03", "work-04", "work-00"]
    evidence = search(stage, fingerprint_of([1.0]), stored, top_k=2)
    assert [one.work_id for one in evidence] == ["work-01", "work-03"]


@pytest.mark.parametrize("top_k", [1, 2, 3, 10])
def test_a_work_of_many_frames_does_not_crowd_out_the_others(stage, top_k):
    many = fingerprint_of(*(at(cosine) for cosine in np.linspace(0.99, 0.9, 40)))
    stored = [fingerprint_of(at(0.7)), many, fingerprint_of(at(0.8)), fingerprint_of(at(0.4))]
    evidence = search(stage, fingerprint_of([1.0]), stored, top_k=top_k)
    assert [one.work_id for one in evidence] == ["work-01", "work-02", "work-00"][:top_k]
    assert evidence[0].measures["clip_similarity"] == pytest.approx(0.99, abs=1e-3)


def test_each_frame_of_an_asset_has_its_own_nearest(stage):
    stored = [fingerprint_of([1.0]), fingerprint_of([0, 0, 1.0]), fingerprint_of([0, 0, 0, 0, 1.0])]
    evidence = search(stage, fingerprint_of([0, 0, 1.0], [1.0]), stored, top_k=1)
    assert [(one.work_id, one.measures["clip_frame"]) for one in evidence] == [
        ("work-00", 1), ("work-01", 0),
    ]  # fmt: skip


def test_the_sentence_reports_similarity_and_not_copying(stage):
    [match] = search(stage, fingerprint_of([1.0]), [fingerprint_of(at(0.8))])
    assert stage.sentence(match) == (
        "The picture as a whole is like it: the embeddings (thumb) have a cosine similarity of "
        "0.80, where unrelated pictures seldom exceed 0.50."
    )
    assert stage.shows_copying is False


# Margin of a match over the background, and candidates


def scattered(seed, sizes):
    """Works of these numbers of frames about a few directions, so that many cosines are high."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(3, DIM))
    return [
        fingerprint_of(*(centres[rng.integers(3)] + 0.8 * rng.normal(size=(size, DIM))))
        for size in sizes
    ]


def unit(fingerprint):
    rows = np.frombuffer(b"".join(fingerprint.rows.column("embedding").to_pylist()), "<f2")
    rows = rows.reshape(-1, DIM).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosines(query, stored):
    """Brute force: each frame's best cosine with each work, (frames, works)."""
    each = [(unit(query) @ unit(work).T).max(axis=1) for work in stored]
    return np.round(np.stack(each, axis=1), 6)


@pytest.mark.parametrize("works", [1, 2, 5, 8, 9, 10, 40])
@pytest.mark.parametrize("seed", range(3))
def test_the_margin_equals_brute_force(stage, works, seed):
    rng = np.random.default_rng([seed, works])
    stored = scattered(seed, rng.integers(1, 30, works))
    [query] = scattered(seed + 50, [4])
    table = cosines(query, stored)
    evidence = search(stage, query, stored, top_k=1000, min_likeness=0.0)
    for one in evidence:
        work = int(one.work_id.removeprefix("work-"))
        frame = int(table[:, work].argmax())
        others = np.sort(np.delete(table[frame], work))[::-1][:BACKGROUND_WORKS]
        others = np.append(others, np.full(BACKGROUND_WORKS - len(others), UNRELATED))
        assert one.measures["clip_frame"] == frame
        assert one.measures["clip_similarity"] == pytest.approx(table[frame, work], abs=2e-6)
        assert one.measures["clip_margin"] == pytest.approx(
            table[frame, work] - others.mean(), abs=4e-6
        )
    assert {one.work_id for one in evidence} == {f"work-{n:02d}" for n in range(works)}


def test_the_margin_in_an_index_of_one_work_is_to_what_unrelated_pictures_reach(stage):
    [match] = search(stage, fingerprint_of([1.0]), [fingerprint_of(*[at(0.9)] * 30)])
    assert match.measures["clip_margin"] == pytest.approx(0.9 - UNRELATED, abs=1e-3)


def test_a_work_counts_once_in_the_background_however_many_frames_it_has(stage):
    many = fingerprint_of(*(at(cosine) for cosine in np.linspace(0.9, 0.85, 60)))
    others = [fingerprint_of(at(0.2)) for _ in range(7)]
    evidence = search(stage, fingerprint_of([1.0]), [fingerprint_of([1.0]), many, *others], top_k=1)
    assert [one.work_id for one in evidence] == ["work-00"]
    assert evidence[0].measures["clip_margin"] == pytest.approx(
        1 - (0.9 + 7 * 0.2) / BACKGROUND_WORKS, abs=2e-3
    )


def test_an_asset_similar_to_many_works_has_a_low_margin(stage):
    distinct = search(
        stage, fingerprint_of([1.0]), [fingerprint_of(at(0.8)), *[fingerprint_of(at(0.1))] * 9]
    )
    crowded = search(
        stage, fingerprint_of([1.0]), [fingerprint_of(at(0.8)), *[fingerprint_of(at(0.79))] * 9]
    )
    assert distinct[0].measures["clip_similarity"] == crowded[0].measures["clip_similarity"]
    assert distinct[0].measures["clip_margin"] == pytest.approx(0.7, abs=2e-3)
    assert crowded[0].measures["clip_margin"] == pytest.approx(0.01, abs=2e-3)


@pytest.mark.parametrize("top_k", [1, 3, 9, 30])
def test_the_margin_does_not_depend_on_top_k(stage, top_k):
    stored = scattered(7, [1, 4, 2, 9, 1, 1, 3, 2, 1, 5, 1, 2])
    [query] = scattered(8, [1])
    every = {
        one.work_id: one.measures
        for one in search(stage, query, stored, top_k=1000, min_likeness=0)
    }
    for one in search(stage, query, stored, top_k=top_k, min_likeness=0.1):
        assert one.measures == every[one.work_id]


def nearest_files(stage, queries, stored, limit):
    settings = ClipEmbeddingSettings(top_k=1, min_likeness=1.0)
    return stage.candidates(queries, entries(stage, stored), settings, limit)


@pytest.mark.parametrize("limit", [1, 2, 7, 25, 100])
@pytest.mark.parametrize("seed", range(3))
def test_candidates_equal_brute_force(stage, limit, seed):
    stored = scattered(seed, np.random.default_rng(seed).integers(1, 20, 25))
    queries = scattered(seed + 90, [1, 3, 6])
    wanted = []
    for query in queries:
        best = cosines(query, stored).max(axis=0)
        wanted.append(np.lexsort((np.arange(len(stored)), -best))[:limit].tolist())
    assert nearest_files(stage, queries, stored, limit) == wanted


def test_candidates_are_found_at_any_similarity(stage):
    stored = [fingerprint_of(at(cosine)) for cosine in (-0.9, 0.1, 0.3)]
    assert nearest_files(stage, [fingerprint_of([1.0])], stored, 5) == [[2, 1, 0]]
    assert nearest_files(stage, [fingerprint_of([1.0])], stored, 0) == [[]]
    assert nearest_files(stage, [], stored, 5) == []
    assert nearest_files(stage, [fingerprint_of([1.0])], [], 5) == [[]]
    with pytest.raises(ValueError, match="negative"):
        nearest_files(stage, [fingerprint_of([1.0])], stored, -1)


def test_a_candidate_is_the_nearest_of_a_works_files(stage):
    one = entries(
        stage, [fingerprint_of(at(0.5)), fingerprint_of(at(0.9)), fingerprint_of(at(0.7))]
    )
    files = tuple(replace(file, work_id="same") for file in one.files)
    same = type(one)(one.rows, one.file_of_row, files)
    settings = ClipEmbeddingSettings()
    assert stage.candidates([fingerprint_of([1.0])], same, settings, 5) == [[1]]
    [[match]] = stage.search([fingerprint_of([1.0])], same, settings)
    assert match.work_file == "file-01"
    assert match.measures["clip_margin"] == pytest.approx(0.9 - UNRELATED, abs=1e-3)


def test_damaged_rows_are_refused_on_either_side(stage):
    good = fingerprint_of([1.0])

    def with_value(value):
        array = pa.array([value], pa.binary())
        return good.rows.set_column(1, stage.schema.field("embedding"), array)

    vector = np.zeros(DIM, "<f2")
    vector[0] = 1
    bad = {
        "zeros": with_value((vector * 0).tobytes()),
        "too long": with_value((vector * 1.02).astype("<f2").tobytes()),
        "too short": with_value((vector * 0.98).astype("<f2").tobytes()),
        "not a number": with_value((vector * np.nan).astype("<f2").tobytes()),
        "infinite": with_value((vector + np.inf).astype("<f2").tobytes()),
        "another dimension": with_value(vector[:-1].tobytes()),
        "an odd byte": with_value(vector.tobytes()[:-1]),
        "nothing": with_value(b""),
        "no frame": good.rows.drop_columns(["frame"]),
    }
    settings = ClipEmbeddingSettings()
    stored = entries(stage, [good])
    for name, rows in bad.items():
        with pytest.raises(ValueError, match="clip_embedding"):
            stage.search([Fingerprint(stage.name, rows)], stored, settings)
        damaged = type(stored)(pa.Table.from_batches([rows]), stored.file_of_row, stored.files)
        with pytest.raises(ValueError, match="clip_embedding"):
            stage.search([good], damaged, settings)
        assert name


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (Scale(0.9, 0.9, 0.1), "does not tell edited copies"),
        (Scale(0.9, 0.8, 0.1), "does not tell edited copies"),
        (Scale(0.5, 0.9, LARGEST_SHARE + 0.0001), "hardly tells pictures apart"),
        (Scale(0.5, 0.9, LARGEST_SHARE), None),
        (Scale(0.8999, 0.9, 0.1), None),
    ],
)
def test_a_model_that_cannot_separate_pictures_is_refused(monkeypatch, scale, message):
    monkeypatch.setattr(clip_embedding, "load_model", lambda name: replace(MODEL, name=name))
    monkeypatch.setattr(clip_embedding, "measured_scale", lambda model: scale)
    if message is None:
        stage = ClipEmbedding.create(model="some:model")
        assert stage.spec.parameters["unrelated_cosine"] == scale.unrelated
        assert stage.spec.parameters["model"] == "some:model"
    else:
        with pytest.raises(ModelError, match=message):
            ClipEmbedding.create(model="some:model")


def test_a_golden_fingerprint_may_differ_by_rounding_only(stage, monkeypatch):
    monkeypatch.setattr(clip_embedding, "load_model", lambda name: MODEL)
    vector = np.frombuffer(base64.b64decode(stage.spec.canary), "<f2").astype(np.float64)
    aside = np.zeros(DIM)
    aside[int(np.abs(vector).argmin())] = 1.0

    def canary(value):
        return replace(stage.spec, canary=base64.b64encode(value.astype("<f2").tobytes()).decode())

    assert ClipEmbedding.from_spec(canary(vector + 0.01 * aside)).spec == stage.spec
    for bad in (vector + 0.1 * aside, -vector, vector[:-1], vector * 0, vector * np.nan):
        with pytest.raises(SpecMismatchError, match="no longer gives the same"):
            ClipEmbedding.from_spec(canary(bad))
    with pytest.raises(SpecMismatchError, match="no longer gives the same"):
        ClipEmbedding.from_spec(replace(stage.spec, canary="no base64!"))
