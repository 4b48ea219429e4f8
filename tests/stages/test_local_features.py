"""Local features: overlaps and their positions, candidates, bounds, abstentions and damage."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from stage_samples import entries, image

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint
from pipeline.report.overlap import Placement, placement
from pipeline.stages.image.feature_schema import FEWEST
from pipeline.stages.image.matching import OVERLAPS
from pipeline.stages.local_features import MOST_REPETITION, LocalFeatures, LocalFeaturesSettings
from reference_index.errors import SpecMismatchError
from training.synthetic import picture

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.fixture(scope="module")
def stage():
    return LocalFeatures.create()


def photo_of(photos, name, side=512):
    photo = photos[name]
    scale = side / max(photo.size)
    return np.ascontiguousarray(photo.resize([round(one * scale) for one in photo.size]))


@pytest.fixture(scope="module")
def works(photos):
    """Photographs and a drawn picture, of different aspects."""
    photographs = {
        name: photo_of(photos, name) for name in ("astronaut", "chelsea", "coffee", "rocket")
    }
    return {**photographs, "drawn": picture(3, 400)}


@pytest.fixture(scope="module")
def stored(stage, works):
    prints = stage.fingerprint([image(one) for one in works.values()])
    return entries(stage, prints)


def print_of(stage, *frames):
    [fingerprint] = stage.fingerprint([image(*(np.ascontiguousarray(one) for one in frames))])
    assert isinstance(fingerprint, Fingerprint), fingerprint
    return fingerprint


def look(stage, stored, *frames, **settings):
    results = stage.search([print_of(stage, *frames)], stored, LocalFeaturesSettings(**settings))
    return results[0]


def carried(measures, points=CORNERS):
    """Where the stored transform takes points of the work: shares of the asset."""
    placed = placement(measures["overlap_transform"])
    assert isinstance(placed, Placement), placed
    at = np.column_stack([points, np.ones(len(points))]) @ placed.matrix.T
    return at[:, :2] / at[:, 2:]


def inset(photo, ground, box):
    """The picture set into another at a box in shares: x, y, width, height."""
    page = ground.copy()
    height, width = ground.shape[:2]
    x, y = round(box[0] * width), round(box[1] * height)
    w, h = round(box[2] * width), round(box[3] * height)
    page[y : y + h, x : x + w] = cv2.resize(photo, (w, h), interpolation=cv2.INTER_AREA)
    return page, np.array([[w / width, 0, x / width], [0, h / height, y / height], [0, 0, 1.0]])


def rotated_by(photo, degrees):
    """The picture rotated counter-clockwise about its centre, uncropped; and the homography."""
    height, width = photo.shape[:2]
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = np.abs(rotation[0, :2])
    wide, tall = round(width * cosine + height * sine), round(width * sine + height * cosine)
    rotation[:, 2] += (wide - width) / 2, (tall - height) / 2
    rotated = cv2.warpAffine(photo, rotation, (wide, tall), borderValue=(90, 90, 90))
    whole = np.vstack([rotation, [0, 0, 1]])
    return rotated, np.diag([1 / wide, 1 / tall, 1]) @ whole @ np.diag([width, height, 1])


def edits(photo):
    """Each edit of a picture with its true homography, asset's and work's share, negative."""
    height, width = photo.shape[:2]
    ground = np.ascontiguousarray(picture(21, 700))
    small, into = inset(photo, ground, (0.3, 0.4, 0.25, 0.25 * ground.shape[1] / ground.shape[0]))
    y, x = height // 5, width // 4
    crop = photo[y : y + height // 2, x : x + width // 2]
    out_of = np.linalg.inv([[0.5, 0, x / width], [0, 0.5, y / height], [0, 0, 1]])
    mirrored = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]], float)
    quarter = np.array([[0, 1, 0], [-1, 0, 1], [0, 0, 1]], float)
    askew, by_17 = rotated_by(photo, 17)
    moved = np.array([[0.08, 0.05], [-0.04, 0.1], [-0.1, -0.03], [0.03, -0.08]])
    corners = CORNERS + moved
    tilt = cv2.getPerspectiveTransform(CORNERS.astype(np.float32), corners.astype(np.float32))
    pixels = np.diag([width, height, 1])
    tilted = cv2.warpPerspective(
        photo, pixels @ tilt @ np.linalg.inv(pixels), (width, height), borderValue=(90, 90, 90)
    )
    area = (width * height) / (askew.shape[0] * askew.shape[1])
    inside = cv2.contourArea(corners.astype(np.float32))
    return {
        "inset": (small, into, np.linalg.det(into), 1.0, False),
        "crop": (crop, out_of, 1.0, 0.25, False),
        "mirrored": (photo[:, ::-1], mirrored, 1.0, 1.0, False),
        "rotated by 90°": (np.rot90(photo), quarter, 1.0, 1.0, False),
        "rotated by 17°": (askew, by_17, area, 1.0, False),
        "negative": (255 - photo, np.eye(3), 1.0, 1.0, True),
        "perspective": (tilted, tilt, inside, 1.0, False),
        "as it is": (photo, np.eye(3), 1.0, 1.0, False),
    }


EDITED = [
    "inset", "crop", "mirrored", "rotated by 90°", "rotated by 17°", "negative", "perspective",
    "as it is",
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITED)
@pytest.mark.parametrize("work", ["astronaut", "chelsea"])
def test_a_copy_is_found_at_its_position(stage, works, stored, work, edit):
    asset, carry, of_asset, of_work, negative = edits(works[work])[edit]
    evidence = look(stage, stored, asset)
    assert evidence, "nothing found"
    first = evidence[0]
    assert first.work_id == f"work-{list(works).index(work):02d}"
    measures = first.measures
    # The corners of the visible part of the work; those of a cropped work are outside the asset.
    corners = CORNERS if edit != "crop" else carried_back(carry)
    true = np.column_stack([corners, np.ones(4)]) @ carry.T
    gap = carried(measures, corners) - true[:, :2] / true[:, 2:]
    assert np.hypot(*gap.T).max() < 0.05
    assert measures["overlap_asset_share"] == pytest.approx(of_asset, abs=0.15)
    assert measures["overlap_work_share"] == pytest.approx(of_work, abs=0.15)
    assert measures["overlap_negative"] is negative
    assert measures["overlap_agreement"] > 0.6
    assert measures["overlap_contradiction"] < 0.15
    assert measures["overlap_strength"] > 8
    assert measures["overlap_found_by"] == "local features"
    assert all(other.measures["overlap_strength"] < 3 for other in evidence[1:])


def carried_back(carry):
    at = np.column_stack([CORNERS, np.ones(4)]) @ np.linalg.inv(carry).T
    return at[:, :2] / at[:, 2:]


def test_unrelated_pictures_give_no_evidence(stage, works, stored):
    for seed in (12, 21, 60, 61):
        assert look(stage, stored, picture(seed, 400)) == []


def test_the_frame_that_shows_the_work_is_named(stage, works, stored):
    others = [picture(seed, 300) for seed in (60, 61)]
    loaded = replace(image(*others, works["coffee"], others[0]), numbers=(0, 7, 21, 30))
    [fingerprint] = stage.fingerprint([loaded])
    [evidence] = stage.search([fingerprint], stored, LocalFeaturesSettings())
    assert evidence[0].work_id == "work-02"
    assert evidence[0].measures["overlap_frame"] == 21


def test_a_work_of_many_frames_is_one_evidence(stage, works):
    animation = print_of(stage, works["coffee"], works["chelsea"])
    [evidence] = stage.search(
        [print_of(stage, works["chelsea"])], entries(stage, [animation]), LocalFeaturesSettings()
    )
    assert [one.work_id for one in evidence] == ["work-00"]


# Candidates of other stages


def test_a_candidate_of_other_stages_is_compared_and_those_stages_named(stage, works, stored):
    blurred = cv2.GaussianBlur(works["coffee"], (0, 0), 9)
    asset = print_of(stage, blurred)
    named = [{2: ("perceptual hash", "CLIP embedding")}]
    large = LocalFeaturesSettings(search_up_to=0)
    [[searched]] = stage.search([asset], stored, large)
    assert searched.measures["overlap_found_by"] == "aggregated features"
    [evidence] = stage.search_with_candidates([asset], stored, large, named)
    assert [one.work_id for one in evidence] == ["work-02"]
    ways = "CLIP embedding, aggregated features, perceptual hash"
    assert evidence[0].measures["overlap_found_by"] == ways


def test_every_search_that_found_a_work_is_named(stage, works, stored):
    asset = print_of(stage, works["coffee"])
    [evidence] = stage.search_with_candidates(
        [asset], stored, LocalFeaturesSettings(), [{2: ("perceptual hash",)}]
    )
    assert evidence[0].measures["overlap_found_by"] == "local features, perceptual hash"
    assert evidence[0].measures["overlap_inliers"] > 50


def test_a_wrong_candidate_gives_no_evidence(stage, works, stored):
    asset = print_of(stage, works["coffee"])
    named = [dict.fromkeys(range(5), ("CLIP embedding",))]
    [evidence] = stage.search_with_candidates([asset], stored, LocalFeaturesSettings(), named)
    assert [one.work_id for one in evidence] == ["work-02"]


@pytest.mark.parametrize(
    ("up_to", "way"), [(4, "aggregated features"), (5, "local features"), (6, "local features")]
)
def test_features_are_searched_up_to_a_number_of_stored_pictures(stage, works, stored, up_to, way):
    [evidence] = look(stage, stored, works["coffee"], search_up_to=up_to)
    assert evidence.measures["overlap_found_by"] == way


# Bounds


def test_settings_hold_at_the_bound_and_not_below(stage, works, stored):
    asset, *_ = edits(works["astronaut"])["perspective"]
    [first, *_] = look(stage, stored, asset)
    for measure, bound in (
        ("overlap_agreement", "min_agreement"),
        ("overlap_strength", "min_strength"),
    ):
        value = first.measures[measure]
        # The stored measure is rounded; the bound is compared with the exact value.
        step = 0.0001 if bound == "min_agreement" else 0.001
        assert look(stage, stored, asset, **{bound: value - step})
        assert not look(stage, stored, asset, **{bound: value + step})


@pytest.mark.parametrize(
    ("inliers", "strength", "agreement", "accepted"),
    [
        (5, 2.0, 0.4, True),
        (5, 2.0, np.nextafter(0.4, 0), False),
        (5, np.nextafter(2.0, 0), 0.4, False),
        (5, 9.0, 0.9, True),
        (0, 0.0, 0.7, True),
        (0, 0.0, np.nextafter(0.7, 0), False),
        (0, 0.0, np.nextafter(0.7, 1), True),
    ],
)
def test_bounds_are_inclusive(inliers, strength, agreement, accepted):
    settings = LocalFeaturesSettings(min_agreement=0.4, min_strength=2.0, min_whole_agreement=0.7)
    overlap = SimpleNamespace(agreement=agreement, contradiction=0.0)
    verified = SimpleNamespace(
        inliers=inliers, weighted_inliers=strength, overlap=overlap, repetition=0.0
    )
    assert bool(settings.accept(verified)) is accepted


@pytest.mark.parametrize(
    ("repetition", "accepted"), [(MOST_REPETITION, True), (np.nextafter(MOST_REPETITION, 1), False)]
)
def test_a_repeating_pattern_is_no_evidence(repetition, accepted):
    overlap = SimpleNamespace(agreement=0.9, contradiction=0.0)
    verified = SimpleNamespace(
        inliers=5, weighted_inliers=2.0, overlap=overlap, repetition=repetition
    )
    assert bool(LocalFeaturesSettings().accept(verified)) is accepted


def test_a_pattern_with_many_features_is_evidence_still(stage, photos):
    y, x = np.mgrid[:448, :448]
    page = np.repeat(((x // 28 + y // 28) % 2 * 80 + 130)[..., None], 3, axis=2).astype(np.uint8)
    inner = np.asarray(photos["chelsea"].resize((300, 300)))
    page[74:374, 74:374] = inner
    prints = stage.fingerprint([image(page), image(page[:, 20:])])
    (evidence,) = stage.search(prints[1:], entries(stage, prints[:1]), LocalFeaturesSettings())
    assert evidence[0].measures["overlap_strength"] > OVERLAPS.pattern_score


@pytest.mark.parametrize(
    "wrong",
    [
        {"candidates": 0}, {"candidates": 101}, {"search_up_to": -1}, {"min_agreement": 1.1},
        {"min_agreement": -0.1}, {"min_strength": -1}, {"min_whole_agreement": 2}, {"other": 1},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        LocalFeaturesSettings(**wrong)


# Abstentions, and input that is refused


def test_too_few_features_abstain_with_their_count(stage):
    smooth = np.zeros((200, 200, 3), np.uint8)
    for k in range(3):
        cv2.circle(smooth, (60 + 40 * k, 60 + 35 * k), 28, (200, 60 + 60 * k, 90), -1, cv2.LINE_AA)
    smooth = cv2.GaussianBlur(smooth, (0, 0), 9)
    [result] = stage.fingerprint([image(smooth)])
    assert isinstance(result, Abstention)
    assert result.reason is Reason.TOO_LITTLE_DETAIL
    count = result.facts["feature_count"]
    assert 0 < count < FEWEST
    assert f"({count}; at least {FEWEST} are needed)" in result.detail


def test_a_frame_without_features_is_left_out(stage, works):
    white = np.full((80, 80, 3), 255, np.uint8)
    fingerprint = print_of(stage, white, works["coffee"], white)
    assert fingerprint.rows.num_rows == 1
    assert fingerprint.rows.column("frame")[0].as_py() == 1


@pytest.mark.parametrize("column", ["aspect", "places", "cells", "codes", "descriptors", "reduced"])
@pytest.mark.parametrize("where", ["asset", "index"])
def test_a_corrupt_column_is_refused(stage, works, stored, column, where):
    rows = print_of(stage, works["coffee"]).rows
    field = rows.schema.field(column)
    value = rows.column(column)[0].as_py()
    bad = rows.set_column(
        rows.schema.get_field_index(column),
        field,
        pa.array([-1.0 if column == "aspect" else value[:-1]], field.type),
    )
    asset = Fingerprint(stage.name, bad if where == "asset" else rows)
    held = entries(stage, [Fingerprint(stage.name, bad if where == "index" else rows)])
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the stage's own
        stage.search([asset], held, LocalFeaturesSettings())


def canary(values):
    return base64.b64encode(values.astype("<f2").tobytes()).decode()


def test_a_golden_fingerprint_that_drifted_is_refused_by_name(stage):
    here = np.frombuffer(base64.b64decode(stage.spec.canary), "<f2").astype(float)
    assert len(here) == 128
    near = replace(stage.spec, canary=canary(here * 1.001))
    assert LocalFeatures.from_spec(near).spec.digest() == stage.spec.digest()
    rng = np.random.default_rng(1)
    other = here + rng.normal(0, 0.1 * np.abs(here).mean(), 128)
    for drifted in (canary(other), canary(here[:64]), canary(here * 0), "not base64", ""):
        with pytest.raises(SpecMismatchError, match="opencv-python-headless"):
            LocalFeatures.from_spec(
                replace(
                    stage.spec,
                    canary=drifted,
                    libraries={**stage.spec.libraries, "opencv-python-headless": "0.0.1"},
                )
            )


def test_another_codebook_is_refused_by_name(stage):
    parameters = {**stage.spec.parameters, "codebook": "0" * 64}
    with pytest.raises(SpecMismatchError, match="codebook"):
        LocalFeatures.from_spec(replace(stage.spec, parameters=parameters))


def test_the_sentence_of_the_evidence(stage, works, stored):
    crop, *_ = edits(works["astronaut"])["crop"]
    [first, *_] = look(stage, stored, 255 - crop)
    sentence = stage.sentence(first)
    assert "as a negative" in sentence
    assert f"{first.measures['overlap_inliers']} local features agree" in sentence
    blurred = cv2.GaussianBlur(works["coffee"], (0, 0), 9)
    [evidence] = stage.search_with_candidates(
        [print_of(stage, blurred)],
        stored,
        LocalFeaturesSettings(search_up_to=0),
        [{2: ("perceptual hash",)}],
    )
    if not evidence[0].measures["overlap_inliers"]:
        assert "the two pictures agree as wholes" in stage.sentence(evidence[0])


@pytest.mark.parametrize(("strength", "faint"), [(0.6, True), (1.99, True), (2.0, False)])
def test_a_faint_overlap_is_not_stated_as_a_fact(stage, strength, faint):
    measures = {
        "overlap_asset_share": 0.3, "overlap_work_share": 0.5, "overlap_inliers": 2,
        "overlap_strength": strength,
    }  # fmt: skip
    sentence = stage.sentence(Evidence("w", "w.png", "0" * 64, measures))
    assert sentence.startswith("A faint sign that" if faint else "About 50% of its picture is seen")
    assert "2 local features agree" in sentence
