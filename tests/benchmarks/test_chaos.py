"""Scans killed at random moments end as undisturbed ones, and a difference would be seen."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pyarrow.parquet as pq
import pytest

from benchmarks.chaos import Chaos, Scenario, report
from benchmarks.chaos_checks import differences, faults_of, view_of
from benchmarks.scan_material import Material
from pipeline.core.layout import HISTORY, RISK_TABLE, RUN
from pipeline.screening.register import create_index

pytestmark = pytest.mark.slow

SEED = 3
KILLS = 12


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    material = Material([], [], SEED)
    scenario = Scenario(
        tmp_path_factory.mktemp("chaos") / "scenario",
        material,
        SEED,
        pictures=8,
        scripts=3,
        works=5,
        create=create_index,
    )
    messages: list[str] = []
    tally = Chaos(scenario, SEED, whole=0.1, say=messages.append).run(KILLS)
    return scenario, tally, messages, report(tally, scenario, material, SEED)


def test_killed_scans_end_as_undisturbed_ones(done):
    _, tally, messages, figures = done
    assert tally.faults == [], messages
    assert sum(tally.kills.values()) == KILLS
    assert tally.compared >= 3
    assert f"{KILLS} kills" in figures
    assert figures.endswith("Result: equal, every time.")


def test_a_row_that_is_other_is_seen(done, tmp_path):
    scenario, *_ = done
    out = scenario.out("calm")
    before, scan_id = view_of(out).finished[-2:]
    whole = out / HISTORY / scan_id
    altered = shutil.copytree(whole, tmp_path / scan_id)
    assert differences(whole, altered, (before, before)) == []
    was = (altered / RISK_TABLE).read_bytes()
    pq.write_table(pq.read_table(altered / RISK_TABLE).slice(1), altered / RISK_TABLE)
    run = (altered / RUN).read_text()
    digests = [sha256(data).hexdigest() for data in (was, (altered / RISK_TABLE).read_bytes())]
    assert digests[0] in run
    (altered / RUN).write_text(run.replace(*digests))
    faults = differences(whole, altered, (before, before))
    assert [fault for fault in faults if fault.startswith("risk_rows")] == faults
    assert faults


def test_results_that_a_finished_scan_lacks_are_seen(done, tmp_path):
    scenario, *_ = done
    out = shutil.copytree(scenario.out("calm"), tmp_path / "calm", symlinks=True)
    view = view_of(out)
    assert faults_of(out, view, {}) == []
    shutil.rmtree(out / HISTORY / view.finished[-1])
    assert faults_of(out, view_of(out), {})
