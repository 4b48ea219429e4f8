"""Perceptual hashing: against the libraries that define the hashes; abstentions and limits."""

from __future__ import annotations

import cv2
import imagehash
import numpy as np
import pdqhash
import pyarrow as pa
import pytest
from PIL import Image
from pydantic import ValidationError
from stage_samples import entries, image

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Fingerprint
from pipeline.load.detail import MIN_BLOCKS, SIDE, detailed_blocks, has_detail, to_grey
from pipeline.stages import perceptual_hash
from pipeline.stages.perceptual_hash import (
    PDQ_EDGE,
    TRANSFORMS,
    PerceptualHash,
    PerceptualHashSettings,
)

UNDERGO = {
    "as it is": lambda a: a,
    "turned by 90° anticlockwise": np.rot90,
    "turned by 180°": lambda a: np.rot90(a, 2),
    "turned by 90° clockwise": lambda a: np.rot90(a, -1),
    "flipped upside down": np.flipud,
    "mirrored": np.fliplr,
    "mirrored and turned by 90° anticlockwise": lambda a: np.rot90(np.fliplr(a)),
    "mirrored and turned by 90° clockwise": lambda a: np.rot90(np.fliplr(a), -1),
}
"""The named transform of a picture; np.rot90 rotates counter-clockwise."""


@pytest.fixture(scope="module")
def stage():
    return PerceptualHash.create()


@pytest.fixture(scope="module")
def arrays(photos):
    return {name: np.ascontiguousarray(photo) for name, photo in photos.items()}


@pytest.fixture(scope="module")
def astronaut(arrays):
    return arrays["astronaut"]


def print_of(stage, *frames):
    [fingerprint] = stage.fingerprint([image(*(np.ascontiguousarray(one) for one in frames))])
    assert isinstance(fingerprint, Fingerprint), fingerprint
    return fingerprint


def column(fingerprint, name, row=0):
    return fingerprint.rows.column(name)[row].as_py()


def search(stage, query, stored, **settings):
    [evidence] = stage.search([query], entries(stage, stored), PerceptualHashSettings(**settings))
    return evidence


def changed(fingerprint, **columns):
    """The same rows with other values."""
    rows = fingerprint.rows
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(name)
        rows = rows.set_column(place, field, pa.array(values, field.type))
    return Fingerprint(fingerprint.stage, rows, fingerprint.facts)


def flipped(value, bits, start=0):
    """Bytes with `bits` bits flipped from bit `start` on."""
    unpacked = np.unpackbits(np.frombuffer(value, np.uint8)).copy()
    unpacked[start : start + bits] ^= 1
    return np.packbits(unpacked).tobytes()


# The hashes themselves


def test_pdq_is_pdqhash(stage, arrays):
    for name, photo in arrays.items():
        fingerprint = print_of(stage, photo)
        bits, quality = pdqhash.compute(photo)
        stored = column(fingerprint, "pdq")
        assert stored[:32] == np.packbits(bits.astype(np.uint8)).tobytes(), name
        assert column(fingerprint, "pdq_quality") == fingerprint.facts["pdq_quality"] == quality
        variants, _ = pdqhash.compute_dihedral(photo)
        assert stored == b"".join(np.packbits(one.astype(np.uint8)).tobytes() for one in variants)


def test_phash_is_imagehash(stage, arrays):
    for name, photo in arrays.items():
        wanted = imagehash.phash(Image.fromarray(to_grey(photo))).hash
        assert column(print_of(stage, photo), "phash") == np.packbits(wanted).tobytes(), name


def test_a_large_picture_is_averaged_down_first(stage, astronaut):
    large = cv2.resize(astronaut, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(large, (PDQ_EDGE, 768), interpolation=cv2.INTER_AREA)
    fingerprint = print_of(stage, large)
    bits, _ = pdqhash.compute(small)
    assert column(fingerprint, "pdq")[:32] == np.packbits(bits.astype(np.uint8)).tobytes()
    # And hardly differs from the libraries' hash of the full-size picture.
    assert (bits != pdqhash.compute(large)[0]).sum() <= 16
    whole = imagehash.phash(Image.fromarray(large)).hash.reshape(-1)
    stored_bits = np.unpackbits(np.frombuffer(column(fingerprint, "phash"), np.uint8))
    assert (stored_bits != whole).sum() <= 2
    # Up to that edge nothing is resized for PDQ.
    exact = cv2.resize(astronaut, (PDQ_EDGE, 700), interpolation=cv2.INTER_CUBIC)
    wanted, _ = pdqhash.compute(exact)
    assert (
        column(print_of(stage, exact), "pdq")[:32] == np.packbits(wanted.astype(np.uint8)).tobytes()
    )


@pytest.mark.parametrize("shape", [(3000, 9), (9, 3000), (7, 500), (500, 7), (1, 1), (8, 8)])
def test_odd_shapes_are_hashed_or_abstained_from(stage, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    [result] = stage.fingerprint([image(noise)])
    if min(shape) < 8:
        assert isinstance(result, Abstention)
        assert result.detail == f"{shape[1]} × {shape[0]} pixels is too small to hash"
    else:
        assert isinstance(result, Fingerprint | Abstention)


# Rotated and mirrored


def test_the_transforms_are_named_in_the_order_of_the_variants():
    assert list(UNDERGO) == list(TRANSFORMS)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("done", list(TRANSFORMS))
def test_a_rotated_or_mirrored_copy_is_found_and_the_inverse_transform_named(
    stage, arrays, name, done
):
    work = arrays[name]
    asset = UNDERGO[done](work)
    [match] = search(stage, print_of(stage, asset), [print_of(stage, work)])
    assert match.measures["pdq_distance"] <= 20
    back = UNDERGO[match.measures["pdq_transform"]]
    np.testing.assert_array_equal(back(asset), work)
    sentence = stage.sentence(match)
    way = match.measures["pdq_transform"]
    assert (
        (f"outline, once {way}, agrees" in sentence)
        if way != TRANSFORMS[0]
        else "outline agrees" in sentence
    )


def test_other_pictures_are_not_found(stage, arrays):
    prints = {name: print_of(stage, photo) for name, photo in arrays.items()}
    for name, query in prints.items():
        stored = [other for key, other in prints.items() if key != name]
        assert search(stage, query, stored) == [], name


# Too little detail


def shaded(values):
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def flat():
    y, x = np.mgrid[:240, :320]
    rng = np.random.default_rng(0)
    images = {
        name: np.broadcast_to(np.array(colour, np.uint8), (240, 320, 3)).copy()
        for name, colour in {
            "white": (255, 255, 255), "black": (0, 0, 0), "red": (255, 0, 0), "navy": (0, 0, 128),
        }.items()
    }  # fmt: skip
    images |= {
        "gradient across": shaded(x * 255 / 319),
        "gradient down": shaded(y * 255 / 239),
        "gradient aslant": shaded((x + y) * 255 / 558),
        "gradient round": shaded(255 - np.hypot(x - 160, y - 120) * 1.2),
        "noise of one level": shaded(128 + rng.integers(-1, 2, (240, 320))),
        "noise of one level in colour": (128 + rng.integers(-1, 2, (240, 320, 3))).astype(np.uint8),
        "gradient with noise": shaded(x * 255 / 319 + rng.integers(-1, 2, (240, 320))),
        "two tones side by side": shaded(np.where(x < 160, 0, 255)),
        "two tones off the middle": shaded(np.where(x < 137, 30, 220)),
        "two tones one above the other": shaded(np.where(y < 101, 255, 0)),
        "horizon": np.where((y < 130)[..., None], (90, 160, 250), (40, 120, 30)).astype(np.uint8),
    }
    for degrees in range(5, 180, 7):
        a = np.deg2rad(degrees)
        side = np.cos(a) * (x - 157) + np.sin(a) * (y - 122) > 0
        images[f"two tones at {degrees}°"] = shaded(np.where(side, 255, 0))
    return images


@pytest.mark.parametrize("name", list(flat()))
def test_flat_pictures_abstain_and_never_match(stage, name):
    [result] = stage.fingerprint([image(flat()[name])])
    assert isinstance(result, Abstention)
    assert result.reason is Reason.TOO_LITTLE_DETAIL
    assert "too little detail to hash" in result.detail
    assert 0 <= result.facts["pdq_quality"] <= 100


@pytest.mark.parametrize("size", [(64, 64), (200, 300), (1500, 700)])
def test_a_straight_edge_at_any_place_and_angle_is_no_detail(size):
    y, x = np.mgrid[: size[0], : size[1]]
    rng = np.random.default_rng(1)
    for _ in range(60 if max(size) < 1000 else 10):
        angle, across, down = (
            rng.uniform(0, np.pi),
            rng.uniform(0, size[1]),
            rng.uniform(0, size[0]),
        )
        side = np.cos(angle) * (x - across) + np.sin(angle) * (y - down) > 0
        assert not has_detail(shaded(np.where(side, 255, 0)))


@pytest.mark.parametrize("transposed", [False, True])
def test_blocks_along_one_line_are_no_detail_and_two_lines_are(transposed):
    grey = np.full((SIDE, SIDE), 128.0)
    stripes = 20 * (np.indices((8, SIDE)).sum(0) % 2)
    grey[:8] += stripes
    grey[24:28, :24] += stripes[:4, :24]
    assert detailed_blocks(to_grey(shaded(grey))).sum() == 11
    assert has_detail(shaded(grey.T if transposed else grey))
    grey[24:28, :24] = 128.0
    grey[8:12, :24] += stripes[:4, :24]
    assert detailed_blocks(to_grey(shaded(grey))).sum() == 11
    assert not has_detail(shaded(grey.T if transposed else grey))


@pytest.mark.parametrize("blocks", [0, 1, MIN_BLOCKS - 1, MIN_BLOCKS, 64])
def test_blocks_with_detail_are_counted(blocks):
    grey = np.full((SIDE, SIDE), 128.0)
    # A square that grows from a corner, so that the blocks are not all on one line.
    for top, left in sorted(np.ndindex(8, 8), key=lambda place: (max(place), place))[:blocks]:
        grey[top * 8 : top * 8 + 8, left * 8 : left * 8 + 8] += 20 * (np.indices((8, 8)).sum(0) % 2)
    assert detailed_blocks(to_grey(shaded(grey))).sum() == blocks
    assert has_detail(shaded(grey)) is (blocks >= MIN_BLOCKS)


@pytest.mark.parametrize(("quality", "hashed"), [(0, False), (49, False), (50, True), (100, True)])
def test_the_least_quality(stage, astronaut, monkeypatch, quality, hashed):
    monkeypatch.setattr(perceptual_hash, "_pdq", lambda frame: (bytes(256), quality))
    [result] = stage.fingerprint([image(astronaut)])
    assert isinstance(result, Fingerprint) is hashed
    assert result.facts == {"pdq_quality": quality}
    if not hashed:
        assert f"PDQ quality {quality}; at least 50 is needed" in result.detail


# Distance limits


@pytest.mark.parametrize(("bits", "near"), [(0, True), (9, True), (10, True), (11, False)])
def test_the_limit_of_phash(stage, astronaut, bits, near):
    work = print_of(stage, astronaut)
    query = changed(work, phash=[flipped(column(work, "phash"), bits, 7)])
    evidence = search(stage, query, [work], phash_max_distance=10, pdq_max_distance=None)
    assert [one.measures for one in evidence] == [
        {"phash_distance": bits, "pdq_distance": None, "pdq_transform": None, "hash_frame": 0}
    ] * near


@pytest.mark.parametrize("variant", range(8))
@pytest.mark.parametrize(("bits", "near"), [(0, True), (59, True), (60, True), (61, False)])
def test_the_limit_of_pdq(stage, astronaut, bits, near, variant):
    work = print_of(stage, astronaut)
    # Only this variant of the asset is like the work's upright hash; the others are 128 bits off.
    upright = column(work, "pdq")[:32]
    far = flipped(upright, 128)
    hashes = [far] * 8
    hashes[variant] = flipped(upright, bits, 100)
    query = changed(work, pdq=[b"".join(hashes)])
    evidence = search(stage, query, [work], phash_max_distance=None, pdq_max_distance=60)
    assert [one.measures for one in evidence] == [
        {
            "phash_distance": None, "pdq_distance": bits, "pdq_transform": TRANSFORMS[variant],
            "hash_frame": 0,
        }
    ] * near  # fmt: skip


def test_none_disables_a_hash_and_zero_requires_equality(stage, astronaut):
    work = print_of(stage, astronaut)
    both = search(stage, work, [work], phash_max_distance=0, pdq_max_distance=0)
    assert (both[0].measures["phash_distance"], both[0].measures["pdq_distance"]) == (0, 0)
    with pytest.raises(ValidationError, match="set enabled: false instead"):
        search(stage, work, [work], phash_max_distance=None, pdq_max_distance=None)
    off = PerceptualHashSettings(enabled=False, phash_max_distance=None, pdq_max_distance=None)
    assert off.enabled is False
    other = changed(work, phash=[flipped(column(work, "phash"), 1)])
    assert search(stage, other, [work], phash_max_distance=0, pdq_max_distance=None) == []


def test_one_hash_suffices_and_the_distance_of_the_other_is_none(stage, astronaut):
    work = print_of(stage, astronaut)
    query = changed(work, phash=[flipped(column(work, "phash"), 32)])
    [match] = search(stage, query, [work])
    assert (match.measures["phash_distance"], match.measures["pdq_distance"]) == (None, 0)
    assert "perceptual hash" not in stage.sentence(match)
    query = changed(work, pdq=[flipped(column(work, "pdq")[:32], 128) * 8])
    [match] = search(stage, query, [work])
    assert (match.measures["phash_distance"], match.measures["pdq_distance"]) == (0, None)
    assert stage.sentence(match) == (
        "The picture's outline agrees with it in 64 of 64 bits of the perceptual hash."
    )


def test_the_nearest_work_comes_first(stage, astronaut):
    work = print_of(stage, astronaut)
    upright = column(work, "pdq")[:32]
    stored = [
        changed(work, pdq=[flipped(upright, bits) + column(work, "pdq")[32:]])
        for bits in (40, 3, 0, 3)
    ]
    evidence = search(stage, work, stored, phash_max_distance=None)
    assert [one.work_id for one in evidence] == ["work-02", "work-01", "work-03", "work-00"]
    assert [one.measures["pdq_distance"] for one in evidence] == [0, 3, 3, 40]


# Animations


def test_the_frame_that_agrees_best_is_named(stage, arrays):
    work = print_of(stage, arrays["coffee"])
    blurred = cv2.GaussianBlur(arrays["coffee"], (0, 0), 6)
    white = np.full_like(blurred, 255)
    query = print_of(stage, arrays["chelsea"], white, blurred, arrays["coffee"], white)
    assert query.rows.column("frame").to_pylist() == [0, 2, 3]
    [match] = search(stage, query, [work])
    assert match.measures["hash_frame"] == 3
    assert (match.measures["phash_distance"], match.measures["pdq_distance"]) == (0, 0)


def test_any_frame_of_a_work_is_found(stage, arrays):
    work = print_of(stage, arrays["chelsea"], arrays["coffee"], arrays["rocket"])
    for frame in ("chelsea", "coffee", "rocket"):
        [match] = search(stage, print_of(stage, arrays[frame]), [work])
        assert match.measures["pdq_distance"] == 0
        assert match.measures["hash_frame"] == 0


# Damage


def test_damaged_rows_are_refused_on_either_side(stage, astronaut):
    good = print_of(stage, astronaut)
    loose = pa.schema([field.with_nullable(True) for field in stage.schema])
    values = [good.rows.column(name) for name in stage.schema.names]
    wide = pa.array([column(good, "phash") * 2], pa.binary(16))
    bad = {
        "quality never stored": changed(good, pdq_quality=[49]).rows,
        "quality beyond all": changed(good, pdq_quality=[101]).rows,
        "a column less": good.rows.drop_columns(["pdq_quality"]),
        "columns in another order": good.rows.select(stage.schema.names[::-1]),
        "another width": good.rows.set_column(1, pa.field("phash", wide.type), wide),
    } | {
        f"no {name}": pa.RecordBatch.from_arrays(
            [pa.nulls(1, one.type) if n == place else one for n, one in enumerate(values)],
            schema=loose,
        )
        for place, name in enumerate(stage.schema.names)
    }
    settings = PerceptualHashSettings()
    stored = entries(stage, [good])
    for name, rows in bad.items():
        with pytest.raises(ValueError, match="perceptual_hash"):
            stage.search([Fingerprint(stage.name, rows)], stored, settings)
        damaged = type(stored)(pa.Table.from_batches([rows]), stored.file_of_row, stored.files)
        with pytest.raises(ValueError, match="perceptual_hash"):
            stage.search([good], damaged, settings)
        assert name


def test_the_evidence_of_an_identical_picture(stage, astronaut):
    work = print_of(stage, astronaut)
    [match] = search(stage, work, [work])
    assert match == Evidence(
        "work-00", "file-00", f"{0:064x}",
        {
            "phash_distance": 0, "pdq_distance": 0, "pdq_transform": "as it is", "hash_frame": 0,
        },
    )  # fmt: skip
