"""Fusion: bands at their cuts, words that are never used, and the sentences of the reasons.

Outcomes are constructed here, to test every combination; tests/end_to_end runs the stages.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Band, Evidence, Fault, Kind, Outcome, StageOutcome, Value
from pipeline.decisions.basis import Basis
from pipeline.decisions.state import Suppression
from pipeline.risk.bands import Bands
from pipeline.risk.calibration import Calibration, KindModel, Term, risk_of
from pipeline.risk.fuse import explain_contributions, fuse
from pipeline.risk.suppression import Suppressions
from reference_index.interface import Work

ASSET = Asset(Path("a.png"), "a.png", "a" * 64, Kind.IMAGE, 10)
HASH, CLIP, TEXT = "perceptual_hash", "clip_embedding", "text_overlap"
BANDS = Bands(escalate=0.9, review=0.3)
PRIOR = -5.0


def logit(risk: float) -> float:
    return math.log(risk / (1 - risk))


def term(stage: str, measure: str) -> Term:
    """A curve that adds exactly the measure's value, so that a test can choose any risk."""
    return Term(
        stage=stage, measure=measure, direction="higher", knots=(0, 100), values=(0, 100)
    )  # fmt: skip


CALIBRATION = Calibration(
    kinds={
        Kind.IMAGE: KindModel(
            prior=PRIOR, terms=(term(HASH, "phash_distance"), term(CLIP, "clip_likeness"))
        ),
        Kind.SCRIPT: KindModel(prior=PRIOR, terms=(term(TEXT, "text_words"),)),
    }
)
MEASURE = {HASH: "phash_distance", CLIP: "clip_likeness", TEXT: "text_words"}


@dataclass
class StageStub:
    """The part of a stage that fusion uses."""

    shows_copying: bool
    text: str

    def sentence(self, evidence: Evidence) -> str:
        return self.text

    def remark(self, facts: Mapping[str, Value]) -> str | None:
        hidden = facts.get("hidden")
        return f"The text holds {hidden}." if hidden else None


STAGES = {
    HASH: StageStub(True, "The outlines agree."),
    CLIP: StageStub(False, "It looks alike."),
    TEXT: StageStub(True, "The words agree."),
}
WORKS = {
    work_id: Work(work_id, f"Title {work_id}", "Holder & Sons", "protected")
    for work_id in ("w1", "w2", "w3", "w4", "w5")
}


def evidence(stage: str, work_id: str = "w1", nats: float | None = 0.0) -> Evidence:
    return Evidence(work_id, f"{work_id}.png", "f" * 64, {MEASURE[stage]: nats})


def matched(stage: str, *evidence: Evidence) -> StageOutcome:
    return StageOutcome(stage, Outcome.MATCHED, evidence=evidence)


def no_match(stage: str) -> StageOutcome:
    return StageOutcome(stage, Outcome.NO_MATCH)


def run(outcomes, asset=ASSET, calibration=CALIBRATION, file_ids=None, works=WORKS, **more):
    return fuse(
        asset,
        outcomes,
        calibration,
        BANDS,
        works,
        file_ids or {},
        more.pop("works_compared", 12),
        stages=STAGES,
        **more,
    )


def nats_for(risk: float) -> float:
    """What evidence must add for this risk."""
    return logit(risk) - PRIOR


@pytest.mark.parametrize(
    ("risk", "band"),
    [
        (0.95, Band.ESCALATE),
        (0.9 + 1e-6, Band.ESCALATE),
        (0.9 - 1e-6, Band.REVIEW),
        (0.3 + 1e-6, Band.REVIEW),
        (0.3 - 1e-6, Band.INFO),
        (0.05, Band.INFO),
    ],
)
def test_bands_just_above_and_just_below_their_cuts(risk, band):
    row = run([matched(HASH, evidence(HASH, nats=nats_for(risk))), no_match(CLIP)])
    assert (row.band, row.risk) == (band, pytest.approx(risk))


def test_a_file_that_was_read_in_part_is_never_a_no_match():
    notes = ("It has 9 frames; 3 of them were looked at.",)
    row = run([no_match(HASH), no_match(CLIP)], notes=notes, complete=False)
    assert (row.band, row.risk, row.complete) == (Band.PARTLY_SCREENED, None, False)
    assert row.reasons[-1] == notes[0]
    assert run([no_match(HASH), no_match(CLIP)], notes=notes).band is Band.NO_MATCH
    outcomes = [matched(HASH, evidence(HASH, nats=nats_for(0.95))), no_match(CLIP)]
    assert run(outcomes, notes=notes, complete=False).band is Band.ESCALATE


@pytest.mark.parametrize(("cut", "band"), [("escalate", Band.ESCALATE), ("review", Band.REVIEW)])
def test_a_risk_equal_to_a_cut_is_in_the_band_above(cut, band):
    outcomes = [matched(HASH, evidence(HASH, nats=4.0))]
    exactly = risk_of(PRIOR + 4.0)
    bands = Bands(**{"escalate": 0.9, "review": 0.1, cut: exactly})
    row = fuse(ASSET, outcomes, CALIBRATION, bands, WORKS, {}, 12, stages=STAGES)
    assert row.risk == exactly
    assert row.band is band
    above = Bands(**{"escalate": 0.9, "review": 0.1, cut: math.nextafter(exactly, 1.0)})
    row = fuse(ASSET, outcomes, CALIBRATION, above, WORKS, {}, 12, stages=STAGES)
    assert row.band is not band


def test_likeness_only_reaches_review_never_escalate():
    row = run([no_match(HASH), matched(CLIP, evidence(CLIP, nats=nats_for(0.99)))])
    assert row.band is Band.REVIEW
    assert row.matches[0].likeness_only
    assert row.reasons[0].startswith("Needs review: likeness to “Title w1” (w1), held by Holder")
    both = run(
        [
            matched(HASH, evidence(HASH, nats=0.0)),
            matched(CLIP, evidence(CLIP, nats=nats_for(0.99))),
        ]
    )
    assert both.band is Band.ESCALATE
    assert not both.matches[0].likeness_only


def test_the_worked_example_of_the_module():
    outcomes = [
        matched(HASH, evidence(HASH, "w1", 6.0)),
        matched(CLIP, evidence(CLIP, "w1", 3.0), evidence(CLIP, "w2", 4.5)),
    ]
    row = run(outcomes)
    assert [(m.work_id, round(m.risk, 3), m.band) for m in row.matches] == [
        ("w1", 0.982, Band.ESCALATE), ("w2", 0.378, Band.REVIEW),
    ]  # fmt: skip
    assert (row.band, row.risk) == (Band.ESCALATE, row.matches[0].risk)
    left = run(
        outcomes, suppressions=Suppressions([decided_false("w1", Band.ESCALATE)], 2, "e", "c")
    )
    assert (left.band, left.risk) == (Band.REVIEW, row.matches[1].risk)
    same_bytes = run(outcomes, file_ids={"w2": frozenset({ASSET.asset_id})}).matches[0]
    assert (same_bytes.work_id, same_bytes.band) == ("w2", Band.ESCALATE)
    assert same_bytes.contributions["identical_file"] == pytest.approx(7.407, abs=5e-4)


def test_evidence_of_copying_comes_before_stronger_likeness_that_can_only_reach_review():
    row = run(
        [
            matched(HASH, evidence(HASH, "w2", nats_for(0.95))),
            matched(CLIP, evidence(CLIP, "w1", nats_for(0.99))),
        ]
    )
    assert row.band is Band.ESCALATE
    assert [m.work_id for m in row.matches] == ["w2", "w1"]
    assert "“Title w2”" in row.reasons[0]


OUTCOMES = (
    no_match(HASH),
    StageOutcome(HASH, Outcome.ABSTAINED, Reason.TOO_LITTLE_DETAIL, "too little detail"),
    StageOutcome(HASH, Outcome.SKIPPED, Reason.NO_WEIGHTS, "no weights configured"),
    StageOutcome(HASH, Outcome.FAILED, Reason.STAGE_FAILED, "it broke"),
    StageOutcome(HASH, Outcome.NOT_APPLICABLE),
)


@pytest.mark.parametrize(("one", "two"), list(itertools.product(OUTCOMES, OUTCOMES)))
def test_missing_evidence_is_never_no_match(one, two):
    """Every pair of outcomes without evidence, against the rule written out."""
    row = run([one, replace(two, stage=CLIP)])
    applying = [o.outcome for o in (one, two) if o.outcome is not Outcome.NOT_APPLICABLE]
    ran = [o for o in applying if o is Outcome.NO_MATCH]
    if not ran:
        assert (row.band, row.risk) == (Band.NOT_SCREENED, None)
        assert row.reasons[0].startswith("Not screened: ")
    elif len(ran) < len(applying):
        assert (row.band, row.risk) == (Band.PARTLY_SCREENED, None)
        assert row.reasons[0].startswith("Partly screened: no match found among 12 works")
    else:
        assert (row.band, row.risk) == (Band.NO_MATCH, risk_of(PRIOR))
        assert row.reasons == ("No match found among 12 works.",)
    for outcome in (one, two):
        assert not outcome.detail or any(outcome.detail in reason for reason in row.reasons)


def test_with_evidence_the_band_is_kept_though_another_stage_did_not_run():
    row = run([OUTCOMES[3], matched(CLIP, evidence(CLIP, nats=nats_for(0.5)))])
    assert row.band is Band.REVIEW
    assert row.reasons[1] == "It looks alike."
    assert any("failed: it broke." in reason for reason in row.reasons)


def test_no_match_needs_a_work_to_compare_with():
    row = run([no_match(HASH), no_match(CLIP)], works_compared=0)
    assert (row.band, row.risk) == (Band.NOT_SCREENED, None)
    assert row.reasons == ("Not screened: there was no work to compare it with.",)
    assert run([no_match(HASH)], works_compared=1).reasons == (
        "No match found among 1 work.",
    )  # fmt: skip


def skipped_for(detail: str) -> list[StageOutcome]:
    return [
        StageOutcome(stage, Outcome.SKIPPED, Reason.NOT_LOADED, detail) for stage in (HASH, CLIP)
    ]


def test_a_fault_is_reported_once_known_from_discovery_or_from_loading():
    detail = "The file ends early: 512 of 9,000 bytes."
    reasons = ("Not screened: The file ends early: 512 of 9,000 bytes.",)
    faulty = replace(ASSET, fault=Fault(Reason.CORRUPT, detail))
    for row in (run(skipped_for(detail), faulty), run(skipped_for(detail))):
        assert (row.band, row.risk, row.matches) == (Band.NOT_SCREENED, None, ())
        assert row.reasons == reasons


def test_a_kind_that_no_stage_judges_is_not_screened():
    other = replace(ASSET, kind=Kind.OTHER)
    absent = [StageOutcome(name, Outcome.NOT_APPLICABLE) for name in STAGES]
    row = run(absent, other, works_compared=0)
    assert (row.band, row.risk) == (Band.NOT_SCREENED, None)
    assert row.reasons == ("Not screened: no stage judges files of this kind.",)


SAME_FILE = {"w1": frozenset({"b" * 64}), "w2": frozenset({"c" * 64, "a" * 64})}


def test_among_equal_risks_the_identical_file_is_first_then_the_work_id():
    outcomes = [matched(HASH, *(evidence(HASH, w, 20.0) for w in ("w3", "w1", "w2")))]
    row = run(outcomes, file_ids=SAME_FILE)
    assert [m.work_id for m in row.matches] == ["w2", "w1", "w3"]
    assert [m.identical_file for m in row.matches] == [True, False, False]
    assert "byte for byte" in row.reasons[0]


def test_the_very_bytes_of_a_work_escalate_though_every_stage_abstains():
    row = run([OUTCOMES[1]], file_ids=SAME_FILE)
    assert row.band is Band.ESCALATE
    assert [m.work_id for m in row.matches] == ["w2"]
    assert row.risk == pytest.approx(0.999)
    assert not row.matches[0].likeness_only
    steps = explain_contributions(PRIOR, row.matches[0].contributions)
    assert [s.name for s in steps] == ["prior", "identical_file", "total"]
    assert steps[-1].risk == pytest.approx(row.risk)


def test_the_very_bytes_of_a_work_escalate_though_the_file_can_not_be_loaded():
    faulty = replace(ASSET, fault=Fault(Reason.TOO_LARGE, "It has 900 megapixels."))
    row = run(skipped_for("It has 900 megapixels."), faulty, file_ids=SAME_FILE)
    assert row.band is Band.ESCALATE
    assert "The file itself was not screened: It has 900 megapixels." in row.reasons


def test_an_asset_without_an_id_is_identical_to_nothing():
    row = run([no_match(HASH)], replace(ASSET, asset_id=None), file_ids=SAME_FILE)
    assert row.band is Band.NO_MATCH


def test_evidence_that_the_calibration_can_not_weigh_needs_review():
    row = run([matched(HASH, evidence(HASH, nats=None)), no_match(CLIP)])
    assert row.band is Band.REVIEW
    assert row.matches[0].contributions == {}
    assert any("no weight" in reason for reason in row.reasons)


def test_a_script_is_judged_by_the_model_for_scripts():
    script = replace(ASSET, kind=Kind.SCRIPT)
    row = run([matched(TEXT, evidence(TEXT, nats=nats_for(0.95)))], script)
    assert row.band is Band.ESCALATE
    assert row.matches[0].contributions == {TEXT: pytest.approx(nats_for(0.95))}


def test_reasons_name_other_works_rights_and_notes():
    works = {**WORKS, "w1": replace(WORKS["w1"], rights="licensed", title="Line\nbreak \u202e")}
    outcomes = [matched(HASH, *(evidence(HASH, f"w{i}", 10.0 - i) for i in range(1, 6)))]
    row = run(outcomes, works=works, notes=["Only 8 of 90 frames were looked at."])
    assert "\n" not in row.reasons[0]
    assert "\u202e" not in row.reasons[0]
    assert any("lists the work as licensed" in reason for reason in row.reasons)
    others = next(reason for reason in row.reasons if reason.startswith("4 other works"))
    assert "(w2)" in others
    assert others.endswith("and 1 more.")
    assert row.reasons[-1] == "Only 8 of 90 frames were looked at."
    # A right to use it is shown, and lowers nothing.
    assert row.band is run(outcomes).band
    assert row.risk == run(outcomes).risk


def test_the_holder_is_left_out_where_the_register_has_none():
    works = {"w1": replace(WORKS["w1"], rightsholder="")}
    row = run([matched(HASH, evidence(HASH, nats=20.0))], works=works)
    assert row.reasons[0] == "Escalate: evidence of copying from “Title w1” (w1)."


NATS = st.floats(0, 30) | st.none()


@given(st.lists(st.tuples(st.sampled_from(sorted(WORKS)), NATS, NATS), max_size=5))
def test_laws_of_every_row(triples):
    """Contributions add up to the risk; the order of evidence does not matter."""
    by_work = {work_id: (h, c) for work_id, h, c in triples}
    hashes = [evidence(HASH, w, h) for w, (h, _) in by_work.items()]
    looks = [evidence(CLIP, w, c) for w, (_, c) in by_work.items()]

    def outcomes(hashes, looks):
        return [
            matched(HASH, *hashes) if hashes else no_match(HASH),
            matched(CLIP, *looks) if looks else no_match(CLIP),
        ]

    row = run(outcomes(hashes, looks))
    in_reverse = run(outcomes(hashes[::-1], looks[::-1]))
    assert in_reverse.matches == row.matches
    assert (in_reverse.band, in_reverse.risk, in_reverse.reasons) == (
        row.band,
        row.risk,
        row.reasons,
    )
    assert {m.work_id for m in row.matches} == set(by_work)
    for match in row.matches:
        steps = explain_contributions(CALIBRATION.prior(Kind.IMAGE), match.contributions)
        assert steps[-1].risk == pytest.approx(match.risk)
        assert math.fsum(s.added for s in steps[:-1]) == pytest.approx(steps[-1].added)
        assert match.risk >= risk_of(PRIOR)
    text = " ".join(row.reasons).lower()
    assert not any(word in text for word in ("cleared", "safe", "infring"))


@pytest.mark.parametrize("rights", ["public_domain", " Licensed ", "own"])
def test_evidence_against_some_rights_is_shown_and_not_counted(rights):
    works = {**WORKS, "w1": replace(WORKS["w1"], rights=rights)}
    outcomes = [matched(HASH, evidence(HASH, nats=9.0)), no_match(CLIP)]
    not_counted = {HASH: frozenset({"public_domain", "licensed", "own"})}
    row = run(outcomes, works=works, not_counted=not_counted)
    assert row.band is Band.INFO
    assert row.risk == pytest.approx(risk_of(PRIOR))
    assert row.matches[0].contributions == {HASH: 0.0}
    assert "shown and not counted" in " ".join(row.reasons)
    assert run(outcomes, works=works).band is Band.ESCALATE
    assert run(outcomes, not_counted=not_counted).band is Band.ESCALATE


def test_a_stages_remark_on_an_asset_is_in_every_row():
    outcome = StageOutcome(HASH, Outcome.NO_MATCH, facts={"hidden": "3 look-alike letters"})
    row = run([outcome, no_match(CLIP)])
    assert row.band is Band.NO_MATCH
    assert row.reasons[-1] == "The text holds 3 look-alike letters."
    assert "holds" not in " ".join(run([no_match(HASH), no_match(CLIP)]).reasons)


@given(st.floats(0, 20), st.floats(0, 20))
def test_more_evidence_never_lowers_the_risk(nats, more):
    weak = run([matched(HASH, evidence(HASH, nats=nats)), no_match(CLIP)])
    strong = run(
        [matched(HASH, evidence(HASH, nats=nats)), matched(CLIP, evidence(CLIP, nats=more))]
    )
    assert strong.risk >= weak.risk


def decided_false(
    work_id: str, band: Band, *by: str, asset_id: str = ASSET.asset_id
) -> Suppression:
    basis = Basis(asset_id, "elsewhere.png", work_id, 1, "d", "c", 0.5, band, "run")
    return Suppression(
        asset_id, work_id, by or ("anna",), "2030-02-03T04:05:06Z", "", ("e",), basis
    )


def run_with_decisions(outcomes, *decisions: Suppression, **more):
    return run(outcomes, suppressions=Suppressions(decisions, 2, "e", "c"), **more)


TWO_WORKS = [
    matched(HASH, evidence(HASH, "w1", nats_for(0.95)), evidence(HASH, "w2", nats_for(0.5))),
    no_match(CLIP),
]


def test_the_next_strongest_match_decides_when_the_strongest_is_suppressed():
    row = run_with_decisions(TWO_WORKS, decided_false("w1", Band.ESCALATE, "anna", "bob"))
    assert (row.band, row.risk) == (Band.REVIEW, pytest.approx(0.5))
    assert [(one.work_id, one.suppressed, one.band) for one in row.matches] == [
        ("w1", True, Band.ESCALATE), ("w2", False, Band.REVIEW),
    ]  # fmt: skip
    assert row.strongest is row.matches[1]
    assert row.reasons == (
        "Needs review: evidence of copying from “Title w2” (w2), held by Holder & Sons.",
        "The outlines agree.",
        "anna and bob said on 2030-02-03 that the match with “Title w1” (w1) is false; without "
        "that its risk would be 0.95, in band “Escalate”.",
    )


@given(
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=4),
    st.sets(st.integers(0, 3)),
    st.lists(st.sampled_from([Band.ESCALATE, Band.REVIEW, Band.INFO]), min_size=4, max_size=4),
)
def test_suppression_hides_nothing_and_a_pair_in_another_band_counts(risks, chosen, decided):
    works = [f"w{n + 1}" for n in range(len(risks))]
    evidence_ = [evidence(HASH, work, nats_for(r)) for work, r in zip(works, risks, strict=True)]
    outcomes = [matched(HASH, *evidence_), no_match(CLIP)]
    plain = run(outcomes)
    row = run_with_decisions(outcomes, *(decided_false(f"w{n + 1}", decided[n]) for n in chosen))
    assert [replace(one, suppressed=False, suppressed_by=()) for one in row.matches] == list(
        plain.matches
    )
    own = {one.work_id: one.band for one in plain.matches}
    covered = {f"w{n + 1}" for n in chosen if own.get(f"w{n + 1}") is decided[n]}
    assert {one.work_id for one in row.matches if one.suppressed} == covered
    assert set(row.lapsed) == {f"w{n + 1}" for n in chosen if f"w{n + 1}" in own} - covered
    left = [one for one in plain.matches if one.work_id not in covered]
    assert (row.band, row.risk) == ((left[0].band, left[0].risk) if left else (Band.INFO, None))
    for work_id in (*covered, *row.lapsed):
        assert sum(f"({work_id}) is false" in sentence for sentence in row.reasons) == 1


def test_an_identical_file_may_be_suppressed_and_is_still_reported_as_one():
    row = run_with_decisions(
        [no_match(HASH), no_match(CLIP)],
        decided_false("w1", Band.ESCALATE),
        file_ids={"w1": frozenset({ASSET.asset_id})},
    )
    assert (row.band, row.risk, row.matches[0].identical_file) == (Band.INFO, None, True)


def test_a_decision_on_other_or_unread_bytes_suppresses_nothing():
    other = decided_false("w1", Band.ESCALATE, asset_id="b" * 64)
    assert run_with_decisions(TWO_WORKS, other).suppressed == 0
    unread = replace(ASSET, asset_id=None)
    assert (
        run_with_decisions(TWO_WORKS, decided_false("w1", Band.ESCALATE), asset=unread).suppressed
        == 0
    )
