"""The example of docs/extending.md passes the conformance suite."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from runpy import run_path

import pytest
import test_conformance
from stage_samples import rich

from pipeline.stages import STAGES, Stage

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
TESTS = [
    test
    for name, test in vars(test_conformance).items()
    if name.startswith("test_") and "stage" in inspect.signature(test).parameters
]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    module = tmp_path_factory.mktemp("stage") / "grey_thumbnail.py"
    module.write_text(code, "utf-8")
    stage_type = run_path(str(module))["GreyThumbnail"]
    assert issubclass(stage_type, Stage)
    return stage_type.create()


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
def test_the_example_passes(example, test, monkeypatch):
    monkeypatch.setitem(STAGES, example.name, type(example))
    inputs = rich(example.kind)
    arguments = {
        "stage": example,
        "inputs": inputs,
        "prints": example.fingerprint(inputs),
        "settings": type(example).Settings(),
    }
    test(**{name: arguments[name] for name in inspect.signature(test).parameters})
