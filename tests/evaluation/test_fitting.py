"""Pairs for a fit: counted right, found widely, and a measure without values left out."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.records import Evidence, Outcome, StageOutcome
from pipeline.evaluation.fitting import (
    CURVES,
    WIDE_SETTINGS,
    Curve,
    Pairs,
    fit_curves,
    fit_model,
    pairs_of,
    predict_risks,
    widen_settings,
)
from pipeline.risk.calibration import risk_of
from pipeline.stages import STAGES


def matched(stage: str, **works: dict[str, object]) -> StageOutcome:
    evidence = tuple(Evidence(work, "file", "0" * 64, measures) for work, measures in works.items())
    return StageOutcome(stage, Outcome.MATCHED, evidence=evidence)


def test_every_curve_and_every_wide_setting_is_of_a_stage_that_there_is():
    for curve in CURVES:
        measures = {m.name for m in STAGES[curve.stage].measures if m.of == "match"}
        assert curve.measure in measures
    assert len({curve.measure for curve in CURVES}) == len(CURVES)
    for name, settings in WIDE_SETTINGS.items():
        assert set(settings) <= set(STAGES[name].Settings.model_fields)


def test_settings_are_widened_but_never_narrowed_and_what_is_off_stays_off():
    usual = {name: stage.Settings() for name, stage in STAGES.items()}
    for name, settings_of_stage in widen_settings(usual).items():
        assert settings_of_stage == type(settings_of_stage)(
            **{**usual[name].model_dump(), **WIDE_SETTINGS.get(name, {})}
        )
    hashes = STAGES["perceptual_hash"].Settings
    words = STAGES["text_overlap"].Settings
    wide = widen_settings(
        {
            "perceptual_hash": hashes(phash_max_distance=None, pdq_max_distance=127),
            "text_overlap": words(min_words=4, max_gap=3, enabled=False),
        }
    )
    assert wide["perceptual_hash"].phash_max_distance is None
    assert wide["perceptual_hash"].pdq_max_distance == 127
    assert wide["text_overlap"].min_words == 4
    assert wide["text_overlap"].max_gap == 3
    assert wide["text_overlap"].min_identity == WIDE_SETTINGS["text_overlap"]["min_identity"]
    assert not wide["text_overlap"].enabled


def test_pairs_are_those_of_the_works_given_with_and_without_evidence():
    judged = [
        # A copy of one work, found; evidence against a work that is not of this half.
        ({"a"}, [matched("perceptual_hash", a={"pdq_distance": 4}, z={"pdq_distance": 9})]),
        # A copy that was not found, with evidence against another.
        ({"b"}, [matched("clip_embedding", a={"clip_likeness": 0.5})]),
        # A copy of a work of the other half: no copy here.
        ({"z"}, []),
        # A distractor with evidence of two stages against one work.
        (
            set(),
            [
                matched("perceptual_hash", b={"pdq_distance": 60, "phash_distance": None}),
                matched("clip_embedding", b={"clip_likeness": 0.25}),
                matched("text_overlap", b={"text_words": 100}),
            ],
        ),
    ]
    pairs = pairs_of(judged, ["a", "b", "c"], ["perceptual_hash", "clip_embedding"])
    assert pairs.copied.tolist() == [True, False, False]
    np.testing.assert_array_equal(pairs.columns["pdq_distance"], [4, np.nan, 60])
    np.testing.assert_array_equal(pairs.columns["clip_likeness"], [np.nan, 0.5, 0.25])
    assert np.isnan(pairs.columns["phash_distance"]).all()
    assert "text_words" not in pairs.columns
    assert pairs.without_evidence == (4 * 3 - 3, 1)


def drawn(seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, 100, 400).astype(float)
    copied = rng.random(400) < 1 / (1 + np.exp((distance - 50) / 8))
    columns = {"pdq_distance": distance, "phash_distance": np.full(400, np.nan)}
    return Pairs(columns, copied, (2000, 20))


def test_a_measure_that_no_pair_has_gets_no_curve_and_the_figures_are_of_the_other_half():
    model = fit_model(drawn(1), drawn(2))
    assert [term.measure for term in model.terms] == ["pdq_distance"]
    assert model.held_out is not None
    other = drawn(2)
    assert (model.held_out.pairs, model.held_out.copies) == (400, int(other.copied.sum()))
    assert model.held_out.pairs_without_evidence == 2000
    assert model.held_out.copies_without_evidence == 20
    risks = predict_risks(model, other)
    assert model.held_out.brier == pytest.approx(
        float(np.mean((risks - other.copied) ** 2)), abs=1e-4
    )
    one = model.contributions(
        {"perceptual_hash": {"pdq_distance": other.columns["pdq_distance"][0]}}
    )
    assert risks[0] == pytest.approx(risk_of(model.prior + one["perceptual_hash"]))


def test_pairs_without_any_evidence_are_refused():
    empty = Pairs({"pdq_distance": np.empty(0)}, np.empty(0, bool), (100, 5))
    with pytest.raises(ValueError, match="no pair has evidence"):
        fit_model(empty, empty)


def test_the_worked_example_of_the_module_is_what_the_fit_gives():
    curve = Curve("perceptual_hash", "phash_distance", "lower", (0, 8, 16))
    basis = curve.basis(np.array([4.0, 8.0, 20.0, np.nan]))
    assert basis.tolist() == [[1, 1, 0.5], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    model = fit_curves(
        {"phash_distance": np.array([0, 2, 4, 6, 14, 4, 12, 16, 16, 20], np.float64)},
        np.repeat([True, False], 5),
        [curve],
        without_evidence=(90, 2),
        ridge=0.3,
    )
    assert model.prior == pytest.approx(-3.54, abs=0.005)
    assert model.terms[0].values == pytest.approx((4.83, 3.69, 1.81), abs=0.005)
    curve_values = (*model.terms[0].values, 0.0)
    risks = [risk_of(model.prior + value) for value in curve_values]
    assert risks == pytest.approx([0.78, 0.54, 0.15, 0.03], abs=0.005)
