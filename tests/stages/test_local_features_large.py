"""Local features in an index too large for a search over every one of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from stage_samples import entries, image

from pipeline.core.records import Fingerprint, Kind
from pipeline.stages import STAGES
from pipeline.stages.local_features import LocalFeaturesSettings
from reference_index.interface import StageEntries
from training.synthetic import picture
from training.synthetic.edits import EDITS, set_into

LARGE = LocalFeaturesSettings(search_up_to=0)
WORKS, SIDE = 24, 320


@pytest.fixture(scope="module")
def stage():
    return STAGES["local_features"].create()


@pytest.fixture(scope="module")
def works(stage):
    """Drawn pictures with features enough, and their fingerprints."""
    pictures = []
    for seed in range(4000, 4200):
        drawn = picture(seed, SIDE)
        (answer,) = stage.fingerprint([image(drawn)])
        if isinstance(answer, Fingerprint) and answer.facts["feature_count"] >= 150:
            pictures.append((drawn, answer))
        if len(pictures) == WORKS:
            return pictures
    raise AssertionError("too few pictures with features")


@pytest.fixture(scope="module")
def stored(stage, works):
    return entries(stage, [answer for _, answer in works])


def edited(name, drawn, seed):
    rng = np.random.default_rng(seed)
    if name == "inset":
        return set_into(drawn, picture(5000 + seed, 480), rng, 0.25)
    return EDITS[name](drawn, rng)


@pytest.mark.parametrize("edit", ["crop50", "mirror", "inset", "negative", "rotate90"])
def test_copies_are_found(stage, works, stored, edit):
    edits = [edited(edit, drawn, seed) for seed, (drawn, _) in enumerate(works[:8])]
    answers = stage.fingerprint([image(np.ascontiguousarray(one)) for one in edits])
    results = stage.search(answers, stored, LARGE)
    right = [
        bool(one) and one[0].work_id == f"work-{place:02d}" for place, one in enumerate(results)
    ]
    assert sum(right) >= 7, right
    for one, good in zip(results, right, strict=True):
        if good:
            assert one[0].measures["overlap_found_by"] == "aggregated features"
            assert one[0].measures["overlap_negative"] is (edit == "negative")


def test_both_searches_find_an_identical_picture_the_same(stage, works, stored):
    prints = [answer for _, answer in works]
    every = stage.search(prints, stored, LocalFeaturesSettings(search_up_to=WORKS))
    large = stage.search(prints, stored, LocalFeaturesSettings(search_up_to=WORKS - 1))
    for place, (one, other) in enumerate(zip(every, large, strict=True)):
        assert one[0].work_id == other[0].work_id == f"work-{place:02d}"
        ways = [evidence[0].measures["overlap_found_by"] for evidence in (one, other)]
        assert ways == ["local features", "aggregated features"]
        same = {**one[0].measures, "overlap_found_by": ""}
        assert same == {**other[0].measures, "overlap_found_by": ""}


def test_a_candidate_of_another_stage_is_compared_once_and_that_stage_named(stage, works, stored):
    prints = [answer for _, answer in works[:2]]
    named = [{place: ("perceptual hash",)} for place in range(2)]
    for evidence in stage.search_with_candidates(prints, stored, LARGE, named):
        ways = evidence[0].measures["overlap_found_by"]
        assert ways == "aggregated features, perceptual hash"


def test_an_index_of_one_picture_and_of_none(stage, works):
    prints = [works[0][1]]
    (evidence,) = stage.search(prints, entries(stage, prints), LARGE)
    assert [one.work_id for one in evidence] == ["work-00"]
    assert stage.search(prints, entries(stage, []), LARGE) == [[]]


@pytest.mark.parametrize("settings", [LARGE, LocalFeaturesSettings()])
def test_a_cut_aggregate_is_refused(stage, works, settings):
    rows = works[0][1].rows
    place = rows.schema.get_field_index("aggregate")
    for length in (0, 512, 1023, 2048):
        cut = pa.array([bytes(length)] * rows.num_rows, pa.binary())
        bad = rows.set_column(place, rows.schema.field(place), cut)
        whole = entries(stage, [works[0][1]])
        one = StageEntries(pa.Table.from_batches([bad]), whole.file_of_row, whole.files)
        with pytest.raises(ValueError, match=r"aggregate|form"):
            stage.search([works[0][1]], one, settings)
        with pytest.raises(ValueError, match="form"):
            stage.search([Fingerprint(stage.name, bad)], whole, settings)


def test_the_spec_names_the_aggregation(stage):
    assert stage.kind is Kind.IMAGE
    assert stage.spec.algorithm == "sift-rootsift/3"
    assert len(stage.spec.parameters["aggregates"]) == 64
