"""The deal of labelled assets to two halves: nothing that belongs together is ever parted."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.records import Asset, Band, Kind, RiskRow
from pipeline.evaluation.labels import JudgedLabel, LabelledAsset
from pipeline.evaluation.recalibrate import split

WORKS = st.sets(st.sampled_from("abcdefgh"), max_size=2)
LABELS = st.lists(st.tuples(WORKS, WORKS, st.sampled_from(["x", "y", "z", None])), max_size=30)


def judged(labels) -> list[JudgedLabel]:
    judged_labels = []
    for place, (copies, others, content) in enumerate(labels):
        asset = Asset(Path(), f"{place}.png", content, Kind.IMAGE, 1)
        label = LabelledAsset(asset, tuple(sorted(copies)), tuple(sorted(others - copies)))
        judged_labels.append(JudgedLabel(label, RiskRow(asset, Band.NO_MATCH, None, (), (), (), 1)))
    return judged_labels


PATIENT = settings(suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no fault of the code's."""


@PATIENT
@given(LABELS)
def test_each_asset_is_on_one_side_with_its_works_and_its_duplicates(labels):
    assets = judged(labels)
    halves = split(assets)
    paths = [one.row.asset.asset_path for half in halves for one in half.assets]
    assert sorted(paths) == sorted(one.row.asset.asset_path for one in assets)
    assert not halves[0].works & halves[1].works
    for half in halves:
        named = {w for one in half.assets for w in (*one.label.copies, *one.label.others)}
        assert named == half.works
    contents = [{one.row.asset.asset_id for one in half.assets} - {None} for half in halves]
    assert not contents[0] & contents[1]


@PATIENT
@given(st.lists(st.integers(1, 6), min_size=2, max_size=12), st.integers(0, 15))
def test_the_halves_are_as_even_as_the_works_allow(copies, distractors):
    """Dealt largest first, the halves differ by no more than the largest work has copies."""
    labels = [({str(w)}, set(), None) for w, number in enumerate(copies) for _ in range(number)]
    labels += [(set(), set(), None)] * distractors
    first, second = split(judged(labels))
    assert abs(first.copies - second.copies) <= max(copies)
    assert abs(first.distractors - second.distractors) <= 1
    again = split(judged(labels))
    assert [one.label for one in again[0].assets] == [one.label for one in first.assets]
