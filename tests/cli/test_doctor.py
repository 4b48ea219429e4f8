"""`clearance doctor`: a line for each thing that Clearance needs."""

from __future__ import annotations

import importlib.util

import pytest
from command_line import clearance

from pipeline.core.extras import EXTRAS


@pytest.fixture(scope="module")
def answer():
    return clearance("doctor", "--json")


def states(json):
    return {one["subject"]: one["state"] for one in json["checks"]}


def test_an_installation_that_works_has_no_fault(answer):
    assert answer.status == 0
    assert answer.json["faults"] == 0
    by_subject = states(answer.json)
    for subject in ("configuration", "model clearance-mini", "worker process", "temporary folder"):
        assert by_subject[subject] == "ok"
    assert {f"extra {name}" for name in EXTRAS} <= set(by_subject)


def test_an_extra_that_is_missing_says_what_lacks_and_how_to_install_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "pipeline.core.extras.find_spec", lambda name: None if name == "s3fs" else find(name)
    )
    text = clearance("doctor").stdout
    [line] = [line for line in text.splitlines() if "extra cloud" in line]
    assert line.startswith("without")
    assert "s3://" in line
    assert "pip install '.[cloud]'" in line


def test_a_model_that_is_damaged_is_a_fault_and_the_other_checks_go_on(monkeypatch):
    from pipeline.core.errors import ModelError

    def refuse(name):
        raise ModelError(f"The weights of {name} are damaged.")

    monkeypatch.setattr("pipeline.stages.image.embedding_model.load_model", refuse)
    answer = clearance("doctor", "--json")
    assert answer.status == 2
    by_subject = states(answer.json)
    assert by_subject["model clearance-mini"] == "fault"
    assert by_subject["worker process"] == "ok"


def test_an_output_that_is_a_file_and_an_index_that_is_not_there_are_faults(tmp_path):
    (tmp_path / "file").touch()
    answer = clearance(
        "doctor", "--out", tmp_path / "file" / "out", "--index", tmp_path / "idx", "--json"
    )
    assert answer.status == 2
    by_subject = states(answer.json)
    assert (by_subject["output folder"], by_subject["reference index"]) == ("fault", "fault")


def test_nothing_stays_of_the_checks(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    answer = clearance("doctor", "--out", tmp_path / "new" / "out", "--json")
    assert answer.status == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]
