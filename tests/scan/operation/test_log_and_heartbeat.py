"""Output of a scan for operators: JSON lines, heartbeat, progress, and the summary at the end."""

from __future__ import annotations

import json
import re
import time

from confidential import assert_nothing_confidential

from pipeline.cli.terminal.scan import stages_line
from pipeline.core.errors import DecodingError
from pipeline.scan.operation.operate import Heartbeat


def test_a_log_has_counts_and_ids_and_no_content_of_assets(night):
    done = night.run("--log-json")
    assert done.status == 3
    events = [line["event"] for line in done.lines]
    assert [one for one in events if one != "progress"] == [
        "scan_started", "index_opened", "drop_listed", "plan", "record_read", "results_written",
        "scan_finished",
    ]  # fmt: skip
    assert_nothing_confidential(done.stderr)
    for line in done.lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["scan_id"] == night.delta()["scan_id"]
    last = done.lines[-1]
    assert last["exit_status"] == 3
    assert last["counts"] == night.delta()["counts"]
    assert last["stages"]["text_overlap"]["matched"] == 1
    assert {"phase": "Judging", "done": 4, "total": 4}.items() <= {
        key: value
        for line in done.lines
        if line["event"] == "progress" and line["phase"] == "Judging"
        for key, value in line.items()
    }.items()


def test_an_unreachable_drop_is_an_event_without_names_or_titles(night):
    night.run()
    for file in night.drop.iterdir():
        file.unlink()
    night.drop.rmdir()
    done = night.run("--log-json")
    assert_nothing_confidential(done.stderr)
    assert ("drop_unreachable", "vendor-a", 4) in [
        (line["event"], line.get("drop"), line.get("files")) for line in done.lines
    ]


def test_a_failed_scan_is_logged_and_says_the_rest_on_standard_output(night, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error", "/drops/zanzibar/ophelia.png")

    monkeypatch.setattr("pipeline.scan.run.write_outputs", fail)
    done = night.run("--log-json")
    assert done.status == 2
    assert_nothing_confidential(done.stderr)
    last = done.lines[-1]
    assert (last["event"], last["error"], last["exit_status"]) == ("scan_failed", "OSError", 2)
    assert last["why"] == "the system refused something (Input/output error)"
    assert "ophelia.png" in done.stdout
    assert (night.beat["state"], night.beat["exit_status"]) == ("failed", 2)


def test_a_defect_is_logged_by_its_place_and_has_a_status_of_its_own(night, monkeypatch):
    def fail(*_):
        raise RuntimeError("zanzibar")

    monkeypatch.setattr("pipeline.scan.run.write_outputs", fail)
    done = night.run("--log-json")
    assert done.status == 70
    assert_nothing_confidential(done.stderr)
    assert done.lines[-1]["where"].startswith("scan/")
    assert (night.beat["state"], night.beat["exit_status"]) == ("failed", 70)


def test_a_machine_that_cannot_start_workers_is_not_a_defect(night, monkeypatch):
    def refuse(*_args, **_options):
        raise DecodingError("No process could be started to decode files in; free memory.")

    monkeypatch.setattr("pipeline.scan.run.write_outputs", refuse)
    failed = night.run("--log-json")
    assert failed.status == 2
    [end] = [line for line in failed.lines if line["event"] == "scan_failed"]
    assert end["why"] == "no process could be started to decode files in"
    assert end["message"].endswith("free memory.")


def test_a_wrong_configuration_is_logged_with_its_message(night):
    night.configure("keep_days: 0\n")
    [line] = night.run("--log-json").lines
    assert line["event"] == "scan_failed"
    assert "keep_days" in line["message"]


def test_screen_logs_too(night, run, small_index, tmp_path):
    done = run("screen", night.drop, "--index", small_index, "--out", tmp_path / "o", "--log-json")
    assert_nothing_confidential(done.stderr)
    assert done.lines[-1]["event"] == "screen_finished"
    assert done.lines[-1]["files"] == 4


def test_the_heartbeat_of_a_finished_scan(night):
    assert night.run().status == 3
    beat, delta = night.beat, night.delta()
    assert beat["state"] == "finished"
    assert beat["exit_status"] == 3
    assert beat["scan_id"] == delta["scan_id"]
    assert_nothing_confidential(json.dumps(beat))
    assert set(beat) == {
        "state", "scan_id", "pid", "host", "started", "phase", "done", "total", "per_second",
        "seconds_left", "progressed", "updated", "exit_status",
    }  # fmt: skip
    assert not list(night.scan.glob(".heartbeat*"))


def test_a_heartbeat_goes_on_while_nothing_is_done(tmp_path):
    path = tmp_path / "heartbeat.json"
    heart = Heartbeat(path, every=0.01)
    heart.start("one")
    heart.progress("Judging", 3, 10)
    deadline = time.monotonic() + 10
    while json.loads(path.read_text())["phase"] != "Judging":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    beat = json.loads(path.read_text())
    assert (beat["state"], beat["done"], beat["total"]) == ("running", 3, 10)
    heart.end("finished", 0)
    assert json.loads(path.read_text())["state"] == "finished"


def test_a_heartbeat_of_another_scan_is_not_changed(tmp_path):
    path = tmp_path / "heartbeat.json"
    heart = Heartbeat(path, every=60)
    heart.start("one")
    path.write_text('{"scan_id": "two"}')
    heart.end("finished", 0)
    assert path.read_text() == '{"scan_id": "two"}'


def test_a_heartbeat_that_can_t_be_written_fails_nothing(tmp_path):
    heart = Heartbeat(tmp_path / "gone" / "heartbeat.json")
    heart.start("one")
    heart.end("finished", 0)


def test_a_scan_that_finds_another_at_work_leaves_its_heartbeat(night):
    from pipeline.scan.run import scan_directory

    night.run()
    before = night.beat
    with scan_directory(night.scan):
        assert night.run().status == 2
    assert night.beat == before


def test_the_end_of_a_scan_fits_on_one_screen(night):
    for number in range(60):
        (night.drop / f"{number:02d}.bin").write_bytes(bytes([number, 0, 1]))
    done = night.run()
    assert len(done.stdout.splitlines()) <= 24
    assert "By stage (matched / no match" in done.stdout


def test_the_line_of_stages_leaves_out_outcomes_without_a_count():
    none = {"matched": 0, "no_match": 0, "abstained": 0, "skipped": 0, "failed": 0}
    line = stages_line({"a": {**none, "matched": 1200}, "b": {**none, "failed": 2}, "c": none})
    assert line == "By stage (matched / failed): a 1,200 / 0, b 0 / 2."
    assert stages_line({"a": none}) == ""
