"""The calibration: it decomposes, never falls with evidence, fits what is so, refuses nonsense."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError
from pipeline.core.records import Kind
from pipeline.evaluation.fitting import Curve, fit_curves
from pipeline.evaluation.metrics import expected_calibration_error
from pipeline.risk.calibration import Calibration, KindModel, Term, risk_of
from pipeline.screening.config import configs_folder

KNOWN = {
    "outline": (Kind.IMAGE, ("bits",)),
    "likeness": (Kind.IMAGE, ("cosine",)),
    "words": (Kind.SCRIPT, ("run",)),
}
OUTLINE = Term(
    stage="outline", measure="bits", direction="lower", knots=(0, 4, 10), values=(8, 6, 1)
)
LIKENESS = Term(
    stage="likeness", measure="cosine", direction="higher", knots=(0.5, 0.9), values=(0, 3)
)
WORDS = Term(stage="words", measure="run", direction="higher", knots=(8, 40), values=(1, 9))


def calibration(**changes) -> Calibration:
    return Calibration(
        kinds={
            Kind.IMAGE: KindModel(prior=-5.0, terms=(OUTLINE, LIKENESS)),
            Kind.SCRIPT: KindModel(prior=-6.0, terms=(WORDS,)),
        },
        **changes,
    )


def written(tmp_path, change):
    """A file with `change` applied to a good calibration's JSON."""
    raw = calibration().model_dump(mode="json")
    change(raw)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(raw))
    return path


def test_a_curve_is_straight_between_knots_and_level_beyond():
    assert [OUTLINE.added(x) for x in (-1, 0, 2, 4, 7, 10, 11)] == [8, 8, 7, 6, 3.5, 1, 1]
    assert [OUTLINE.added(x) for x in (None, float("nan"), "2")] == [0, 0, 0]


def test_a_missing_measure_and_an_unknown_stage_add_nothing():
    model = calibration().kinds[Kind.IMAGE]
    assert model.contributions({}) == {}
    assert model.contributions({"outline": {"bits": None}, "novel": {"x": 1.0}}) == {}
    assert model.contributions({"outline": {"bits": 4}, "likeness": {"cosine": 0.9}}) == {
        "outline": 6.0,
        "likeness": 3.0,
    }


def test_the_worked_example_of_the_module():
    model = calibration().kinds[Kind.IMAGE]
    both = model.contributions({"outline": {"bits": 7}, "likeness": {"cosine": 0.7}})
    assert both == {"outline": pytest.approx(3.5), "likeness": pytest.approx(1.5)}
    assert risk_of(model.prior + sum(both.values())) == pytest.approx(0.5)
    beyond = model.contributions({"outline": {"bits": 12}})
    assert risk_of(model.prior + beyond["outline"]) == pytest.approx(0.018, abs=5e-4)


@given(st.floats(-900, 900), st.floats(-900, 900))
def test_risk_is_monotone_and_stays_in_0_to_1(a, b):
    low, high = sorted((a, b))
    assert 0.0 <= risk_of(low) <= risk_of(high) <= 1.0
    assert risk_of(a) + risk_of(-a) == pytest.approx(1.0)


def test_a_saved_calibration_reads_back_the_same_and_its_digest_is_of_what_it_says(tmp_path):
    path = tmp_path / "a.json"
    calibration().save(path)
    read = Calibration.load(path, KNOWN)
    assert read == calibration()
    assert read.digest() == calibration().digest()
    other = tmp_path / "b.json"
    other.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    assert Calibration.load(other, KNOWN).digest() == read.digest()
    changed = written(tmp_path, lambda raw: raw["kinds"]["image"].update(prior=-5.5))
    assert Calibration.load(changed, KNOWN).digest() != read.digest()


def term(raw, position=0):
    return raw["kinds"]["image"]["terms"][position]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: term(raw).update(values=[8, 9, 1]), "must not fall as bits grows stronger"),
        (lambda raw: term(raw, 1).update(values=[3, 1]), "must not fall as cosine grows stronger"),
        (lambda raw: term(raw).update(values=[8, 6, -1]), "at least 0"),
        (lambda raw: term(raw).update(values=[8, 6]), "3 knots have 2 values"),
        (lambda raw: term(raw).update(knots=[0, 4, 4]), "ascend"),
        (lambda raw: term(raw).update(stage="outlime"), "did you mean outline"),
        (lambda raw: term(raw).update(measure="bytes"), "bytes is not known"),
        (lambda raw: term(raw).update(stage="words", measure="run"), "judges script assets only"),
        (lambda raw: raw["kinds"]["image"].update(prior="high"), "prior must be a valid number"),
        (lambda raw: raw["kinds"].pop("script"), "lacks script"),
        (lambda raw: raw["kinds"]["image"]["terms"].append(term(raw)), "more than one term"),
        (lambda raw: raw.update(version=2), "version must be 1"),
        (lambda raw: raw.update(kindz={}), "kindz is not known"),
        (lambda raw: term(raw).update(knotz=[]), "did you mean knots"),
    ],
)
def test_a_bad_file_is_refused_with_what_is_wrong(tmp_path, change, says):
    path = written(tmp_path, change)
    with pytest.raises(ConfigError, match=says) as caught:
        Calibration.load(path, KNOWN)
    assert str(path) in str(caught.value)
    assert caught.value.problems


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, b"[]", b'{"a": NaN}']
)
def test_what_is_no_calibration_is_refused(tmp_path, content):
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"c\.json"):
        Calibration.load(path, KNOWN)
    with pytest.raises(ConfigError, match=r"There is no calibration file .*none\.json"):
        Calibration.load(tmp_path / "none.json", KNOWN)


def test_a_fit_finds_the_rates_that_made_the_data():
    """Labels drawn from a known curve: the fitted risk is within sampling error of it."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 11, 6000).astype(float)
    truth = 1 / (1 + np.exp(-(4.0 - 0.9 * bits)))
    copied = rng.random(6000) < truth
    curve = Curve("outline", "bits", "lower", tuple(float(k) for k in range(11)))
    model = fit_curves({"bits": bits}, copied, [curve], without_evidence=(500, 5), ridge=0.01)
    assert model.prior == pytest.approx(math.log(5 / 495), abs=0.05)
    got = [
        risk_of(model.prior + sum(model.contributions({"outline": {"bits": b}}).values()))
        for b in range(11)
    ]
    wanted = 1 / (1 + np.exp(-(4.0 - 0.9 * np.arange(11))))
    # The prior (1 in 100) is below the weakest curve's risk, so no bound is active.
    np.testing.assert_allclose(got, wanted, atol=0.05)
    risks = np.array(got)[bits.astype(int)]
    assert expected_calibration_error(risks, copied) < 0.02
    assert (model.pairs, model.copies) == (6500, int(copied.sum()) + 5)


def test_a_fit_stays_monotone_and_non_negative_where_the_data_are_not():
    """Strong evidence that is never a copy can't pull the curve down."""
    cosine = np.array([0.5] * 40 + [0.7] * 40 + [0.9] * 40)
    copied = np.array([True, False] * 20 + [True] * 40 + [False] * 40)
    curve = Curve("likeness", "cosine", "higher", (0.5, 0.7, 0.9))
    model = fit_curves({"cosine": cosine}, copied, [curve], without_evidence=(10, 0), ridge=0.1)
    values = model.terms[0].values
    assert 0 <= values[0] <= values[1] == pytest.approx(values[2], abs=1e-3)


def test_correlated_measures_are_weighed_together_not_counted_twice():
    """The same column twice gives the risk of the column once."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 3, 3000).astype(float)
    copied = rng.random(3000) < np.array([0.9, 0.5, 0.1])[bits.astype(int)]
    knots = (0.0, 1.0, 2.0)
    one = fit_curves(
        {"bits": bits}, copied, [Curve("outline", "bits", "lower", knots)],
        without_evidence=(100, 1), ridge=0.001,
    )  # fmt: skip
    two = fit_curves(
        {"bits": bits, "more": bits}, copied,
        [Curve("outline", "bits", "lower", knots), Curve("outline", "more", "lower", knots)],
        without_evidence=(100, 1), ridge=0.001,
    )  # fmt: skip
    for b in range(3):
        single = one.prior + one.contributions({"outline": {"bits": b}})["outline"]
        double = two.prior + two.contributions({"outline": {"bits": b, "more": b}})["outline"]
        assert risk_of(single) == pytest.approx(risk_of(double), abs=0.01)


def test_a_fit_of_only_copies_or_of_ragged_columns_is_refused():
    curve = Curve("outline", "bits", "lower", (0.0, 1.0))
    with pytest.raises(ValueError, match="copies and pairs that are not"):
        fit_curves(
            {"bits": np.zeros(3)}, np.ones(3, bool), [curve], without_evidence=(2, 2), ridge=1
        )
    with pytest.raises(ValueError, match="one value for each pair"):
        fit_curves(
            {"bits": np.zeros(2)}, np.ones(3, bool), [curve], without_evidence=(2, 0), ridge=1
        )


def test_other_weights_are_named():
    fitted = calibration(weights_sha256={"likeness": "a" * 64})
    assert fitted.other_weights({"likeness": "a" * 64, "outline": None}) == []
    assert fitted.other_weights({"likeness": "b" * 64}) == ["likeness"]
    assert fitted.other_weights({}) == []


def test_the_calibration_that_ships_loads_and_was_measured_on_works_held_out():
    shipped = Calibration.load(configs_folder() / "calibration" / "default.json")
    for kind in (Kind.IMAGE, Kind.SCRIPT):
        model = shipped.kinds[kind]
        assert model.terms
        assert model.held_out is not None
        assert sum(row.pairs for row in model.held_out.table) == model.held_out.pairs > 0
        assert risk_of(model.prior) < 0.1
        assert model.copies < model.pairs
