"""Conformance suite: every stage registered in pipeline.stages must pass these tests."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
from stage_samples import blank, entries, rich, same_bytes

from pipeline.core.records import Abstention, Fingerprint, Kind
from pipeline.stages import STAGES
from reference_index.errors import SpecMismatchError
from reference_index.interface import FingerprintSpec

TYPES = {"int": int, "float": float, "bool": bool, "str": str}


@pytest.fixture(scope="module", params=list(STAGES))
def stage(request):
    return STAGES[request.param].create()


@pytest.fixture(scope="module")
def inputs(stage):
    return rich(stage.kind)


@pytest.fixture(scope="module")
def prints(stage, inputs):
    fingerprints = stage.fingerprint(inputs)
    assert all(isinstance(one, Fingerprint) for one in fingerprints), fingerprints
    return fingerprints


@pytest.fixture(scope="module")
def settings(stage):
    return type(stage).Settings()


def test_its_name_kind_title_and_spec(stage):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", stage.name)
    assert STAGES[stage.name] is type(stage)
    assert stage.kind in (Kind.IMAGE, Kind.SCRIPT)
    assert stage.title
    assert stage.spec.stage == stage.name
    assert stage.spec.canary
    assert type(stage).Settings().enabled is True


def test_no_two_stages_share_a_column():
    names = [measure.name for stage in STAGES.values() for measure in stage.measures]
    assert len(names) == len(set(names))


def test_blank_input_abstains_and_says_why(stage):
    samples = blank(stage.kind)
    for name, result in zip(samples, stage.fingerprint(list(samples.values())), strict=True):
        assert isinstance(result, Abstention), name
        assert result.detail, name


def test_no_input_gives_no_result(stage, settings, prints):
    assert stage.fingerprint([]) == []
    assert stage.search([], entries(stage, prints), settings) == []


def test_rows_are_in_the_schema_without_nulls(stage, prints):
    for one in prints:
        assert one.stage == stage.name
        assert one.rows.schema.equals(stage.schema)
        assert one.rows.num_rows >= 1
        assert all(column.null_count == 0 for column in one.rows.columns)


def test_the_same_input_gives_the_same_bytes(stage, inputs, prints):
    again = stage.fingerprint(inputs)
    assert all(same_bytes(a, b) for a, b in zip(prints, again, strict=True))


def test_order_and_split_of_a_batch_change_nothing(stage, inputs, prints):
    backwards = stage.fingerprint(inputs[::-1])[::-1]
    one_by_one = [stage.fingerprint([one])[0] for one in inputs]
    blanks = list(blank(stage.kind).values())
    mixed = stage.fingerprint([blanks[0], *inputs, blanks[1]])[1:-1]
    for others in (backwards, one_by_one, mixed):
        assert all(same_bytes(a, b) for a, b in zip(prints, others, strict=True))


def test_an_identical_asset_is_found_at_the_top(stage, prints, settings):
    results = stage.search(prints, entries(stage, prints), settings)
    assert [evidence[0].work_id for evidence in results] == [
        f"work-{n:02d}" for n in range(len(prints))
    ]


def test_a_search_does_not_depend_on_other_queries(stage, prints, settings):
    stored = entries(stage, prints)
    together = stage.search(prints, stored, settings)
    assert together == [stage.search([one], stored, settings)[0] for one in prints]
    assert together == stage.search(prints[::-1], stored, settings)[::-1]


def test_the_order_of_the_index_does_not_matter(stage, prints, settings):
    stored = entries(stage, prints)
    files = stored.files[::-1]
    rows = pa.Table.from_batches([one.rows for one in prints[::-1]]).combine_chunks()
    position = (len(files) - 1 - stored.file_of_row)[::-1].copy()
    position.sort()
    reversed_entries = type(stored)(rows, position, files)
    assert stage.search(prints, stored, settings) == stage.search(
        prints, reversed_entries, settings
    )


def test_an_empty_index_gives_no_evidence(stage, prints, settings):
    assert stage.search(prints, entries(stage, []), settings) == [[] for _ in prints]


def test_one_evidence_a_work_with_the_declared_measures(stage, prints, settings):
    declared = {m.name: TYPES[m.dtype] for m in stage.measures if m.of == "match"}
    for evidence in stage.search(prints, entries(stage, prints), settings):
        works = [one.work_id for one in evidence]
        assert len(works) == len(set(works))
        for one in evidence:
            assert set(one.measures) <= set(declared)
            for name, value in one.measures.items():
                assert value is None or type(value) is declared[name], name
    facts = {m.name: TYPES[m.dtype] for m in stage.measures if m.of == "asset"}
    for one in prints:
        assert all(type(value) is facts[name] for name, value in one.facts.items())


def test_a_work_of_many_files_is_one_evidence(stage, prints, settings):
    stored = entries(stage, prints)
    files = tuple(replace(file, work_id="one work") for file in stored.files)
    results = stage.search(prints, type(stored)(stored.rows, stored.file_of_row, files), settings)
    assert [[one.work_id for one in evidence] for evidence in results] == [["one work"]] * len(
        prints
    )
    assert [evidence[0].work_file for evidence in results] == [file.path for file in files]


def test_a_sentence_for_a_lawyer(stage, prints, settings):
    for evidence in stage.search(prints, entries(stage, prints), settings):
        for one in evidence:
            sentence = stage.sentence(one)
            assert sentence.endswith(".")
            assert not re.search(r"\b(cleared|safe|infring\w*)\b", sentence, re.IGNORECASE)


def corrupted(stage, batch):
    """Rows that are not of this stage: another schema, a column missing, nulls, values cut."""
    batches = [
        pa.RecordBatch.from_pydict({"other": [1]}),
        batch.drop_columns([batch.schema.names[-1]]),
    ]
    loose = pa.schema([field.with_nullable(True) for field in batch.schema])
    nulls = [pa.nulls(batch.num_rows, field.type) for field in batch.schema]
    batches.append(pa.RecordBatch.from_arrays(nulls, schema=loose))
    for place, field in enumerate(batch.schema):
        if pa.types.is_list(field.type) or pa.types.is_binary(field.type):
            cut = [value[: len(value) // 2] for value in batch.column(place).to_pylist()]
            batches.append(batch.set_column(place, field, pa.array(cut, field.type)))
    return batches


def test_a_corrupt_fingerprint_is_refused(stage, prints, settings):
    stored = entries(stage, prints)
    for rows in corrupted(stage, prints[0].rows):
        with pytest.raises(ValueError):  # noqa: PT011 - the message is the stage's own
            stage.search([Fingerprint(stage.name, rows)], stored, settings)


def test_a_corrupt_stored_value_is_refused(stage, prints, settings):
    stored = entries(stage, prints)
    for rows in corrupted(stage, prints[0].rows):
        bad = type(stored)(pa.Table.from_batches([rows]), stored.file_of_row[:1], stored.files)
        with pytest.raises(ValueError):  # noqa: PT011 - the message is the stage's own
            stage.search(prints, bad, settings)


def test_the_spec_survives_storage_and_makes_the_same_stage(stage, inputs, prints):
    import json

    stored = FingerprintSpec.from_json(json.loads(json.dumps(stage.spec.to_json())))
    assert stored.digest() == stage.spec.digest()
    assert type(stage).opening_key(stored) == type(stage).opening_key(stage.spec)
    for again in (type(stage).from_spec(stored), type(stage).from_spec_lazily(stored)):
        repeated = again.fingerprint(inputs)
        assert all(same_bytes(a, b) for a, b in zip(prints, repeated, strict=True))


def test_another_spec_is_refused_by_name(stage):
    spec = stage.spec
    with pytest.raises(SpecMismatchError, match="algorithm"):
        type(stage).from_spec(replace(spec, algorithm="another/9"))
    with pytest.raises(SpecMismatchError, match="unheard_of"):
        type(stage).from_spec(replace(spec, parameters={**spec.parameters, "unheard_of": 1}))


def test_drifted_libraries_are_refused_with_their_versions(stage):
    name = next(iter(stage.spec.libraries))
    drifted = replace(stage.spec, canary="AAAA", libraries={**stage.spec.libraries, name: "0.0.1"})
    with pytest.raises(SpecMismatchError, match=rf"{name} 0\.0\.1 when it was made"):
        type(stage).from_spec(drifted)


def test_registering_a_stage_imports_no_heavy_library():
    code = (
        "import sys, pipeline.stages\n"
        "print(sorted({'torch', 'open_clip', 'faiss', 'lancedb', 'pandas', 'cv2', 'scipy', "
        "'imagehash', 'datasketch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
