"""Stored values are read back unchanged, or refused with an error."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Reason
from pipeline.core.records import (
    Abstention,
    Evidence,
    Fault,
    Fingerprint,
    Outcome,
    Passage,
    StageOutcome,
)
from pipeline.scan.memory import serialization
from pipeline.screening.run_files import Facts

TEXT = st.text(max_size=12)
VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
VALUES = st.dictionaries(TEXT, VALUE, max_size=4)
WHOLE = st.integers(0, 10**9)
PASSAGES = st.builds(
    Passage, TEXT, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, st.floats(0, 1), WHOLE, st.floats(0, 99),
    st.integers(1, 9), st.floats(0, 1), st.floats(0, 1),
    st.lists(st.tuples(WHOLE, WHOLE, WHOLE, WHOLE), max_size=3).map(tuple),
    st.none() | TEXT, st.none() | st.integers(1, 99),
)  # fmt: skip
EVIDENCE = st.builds(Evidence, TEXT, TEXT, TEXT, VALUES, st.lists(PASSAGES, max_size=2).map(tuple))
OUTCOMES = st.builds(
    StageOutcome, TEXT, st.sampled_from(Outcome), st.none() | st.sampled_from(Reason), TEXT, VALUES,
    st.lists(EVIDENCE, max_size=2).map(tuple),
)  # fmt: skip
FACTS = st.builds(
    Facts, st.none() | st.builds(Fault, st.sampled_from(Reason), TEXT), st.none() | TEXT,
    st.lists(TEXT, max_size=2).map(tuple), st.booleans(),
)  # fmt: skip


@given(st.lists(OUTCOMES, max_size=3).map(tuple))
def test_outcomes_come_back(outcomes):
    assert serialization.outcomes_from_bytes(serialization.outcomes_to_bytes(outcomes)) == outcomes


@given(FACTS)
def test_facts_come_back(facts):
    assert serialization.facts_from_json(serialization.facts_to_json(facts)) == facts


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=3), VALUES)
def test_fingerprints_come_back(blobs, facts):
    rows = pa.RecordBatch.from_pydict({"n": list(range(len(blobs))), "data": blobs})
    packed = serialization.fingerprint_to_bytes(Fingerprint("s", rows, facts))
    back = serialization.fingerprint_from_bytes("s", packed)
    assert back.rows.equals(rows)
    assert back.rows.schema.equals(rows.schema, check_metadata=True)
    assert (back.stage, dict(back.facts)) == ("s", facts)


@given(st.sampled_from(Reason), TEXT, VALUES)
def test_abstentions_come_back(reason, detail, facts):
    answer = Abstention(reason, detail, facts)
    assert (
        serialization.fingerprint_from_bytes("s", serialization.fingerprint_to_bytes(answer))
        == answer
    )


def test_a_failed_stage_is_not_stored():
    assert serialization.fingerprint_to_bytes(StageOutcome("s", Outcome.FAILED)) is None


@given(st.binary(max_size=60))
def test_damaged_values_are_refused(data):
    for read in (
        serialization.outcomes_from_bytes,
        lambda d: serialization.fingerprint_from_bytes("s", d),
    ):
        with pytest.raises(ValueError, match=r".+"):
            read(data)


@pytest.mark.parametrize("place", range(0, 400, 13))
def test_a_cut_fingerprint_is_refused(place):
    rows = pa.RecordBatch.from_pydict({"data": [bytes(range(200))]})
    packed = serialization.fingerprint_to_bytes(Fingerprint("s", rows, {}))
    with pytest.raises(ValueError, match=r".+"):
        serialization.fingerprint_from_bytes("s", packed[:place])


def test_a_number_that_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        serialization.outcomes_to_bytes([StageOutcome("s", Outcome.MATCHED, facts={"x": math.nan})])
