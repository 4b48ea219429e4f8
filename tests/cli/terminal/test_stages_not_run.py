"""A stage that did not run is named in one whole sentence."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.cli.terminal.risk import print_stages_not_run


@pytest.mark.parametrize("why", ["it is switched off", "it is switched off."])
def test_a_stage_that_did_not_run_is_a_sentence(why):
    said = io.StringIO()
    print_stages_not_run({"text_overlap": why}, (), Console(file=said, width=200))
    assert said.getvalue() == "Text overlap did not run: it is switched off.\n"
