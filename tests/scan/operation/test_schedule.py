"""Schedules: systemd accepts the units, and cron the line, with any characters in paths."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError, ScanError
from pipeline.scan.operation import schedule as schedule_module
from pipeline.scan.operation.schedule import (
    Schedule,
    cron_line,
    entry_point,
    notes_of,
    schedule_of,
    systemd_units,
)
from pipeline.scan.settings import load_settings

ODD = "wé %h $HOME ${x} \"q\" 'a' \\b; #c"

PLAIN = Schedule(
    name="clearance-nightly",
    command=("/opt/clearance/bin/clearance", "scan", "--config", "/etc/clearance/nightly.yaml"),
    config=Path("/etc/clearance/nightly.yaml"),
    out=Path("/srv/scan"),
    drops=(Path("/mnt/drops/a"), Path("/mnt/drops/b b")),
    index=Path("/srv/index"),
    hour=2,
    minute=30,
    user="clearance",
    network=False,
    secrets=False,
)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Where the tests' checkout is decides nothing: PrivateTmp depends on it."""
    monkeypatch.setattr(schedule_module, "_INSTALLED", (Path("/opt/clearance"),))


def value(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def words(line: str) -> list[str]:
    """Parses a unit's line as systemd does: quotes, backslashes, doubled per cent signs."""
    return [word.replace("%%", "%") for word in shlex.split(line)]


def odd(tmp_path: Path) -> Schedule:
    folder = tmp_path / ODD
    folder.mkdir()
    program = folder / "clearance"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    config = folder / "nightly.yaml"
    config.write_text("index: i\nout: s\ndrops: {a: {path: d}}\n")
    schedule = schedule_of(load_settings(config), config, "02:30")
    return replace(schedule, command=(str(program), *schedule.command[-4:]))


@pytest.mark.parametrize("what", ["plain", "odd", "notified"])
def test_systemd_takes_the_units(tmp_path, what):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    schedule = odd(tmp_path)
    if what == "plain":
        schedule = replace(PLAIN, command=("/bin/true", *PLAIN.command[1:]))
    elif what == "notified":
        schedule = replace(schedule, network=True, secrets=True)
    for name, text in systemd_units(schedule).items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in systemd_units(schedule)]
    done = subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "clearance" in line]
    assert (done.returncode, ours) == (0, [])


def test_systemd_reports_a_missing_program(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    schedule = replace(PLAIN, command=(f"{tmp_path}/a b/%h/gone", *PLAIN.command[1:]))
    for name, text in systemd_units(schedule).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / f"{schedule.name}.service")],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert f"{tmp_path}/a b/%h/gone is not executable" in done.stderr


def test_the_service_may_write_to_the_scan_directory_only():
    service = systemd_units(PLAIN)["clearance-nightly.service"]
    assert value(service, "ProtectSystem") == ["strict"]
    assert value(service, "ReadWritePaths") == ['"/srv/scan"', '"-/srv/index/cache"']
    assert value(service, "ReadOnlyPaths") == [
        '"-/srv/index"', '"-/mnt/drops/a"', '"-/mnt/drops/b b"',
    ]  # fmt: skip
    for key, expected in {
        "NoNewPrivileges": "true", "PrivateTmp": "true", "PrivateNetwork": "true", "Nice": "10",
        "IOSchedulingClass": "idle", "SuccessExitStatus": "1 3 143", "User": "clearance",
        "Type": "oneshot", "StandardOutput": "null",
    }.items():  # fmt: skip
        assert value(service, key) == [expected], key
    timer = systemd_units(PLAIN)["clearance-nightly.timer"]
    assert value(timer, "OnCalendar") == ["*-*-* 02:30:00"]
    assert value(timer, "Persistent") == ["true"]


def test_paths_come_through_as_they_are(tmp_path):
    schedule = odd(tmp_path)
    service = systemd_units(schedule)[f"{schedule.name}.service"]
    [command] = value(service, "ExecStart")
    # systemd runs no program with a quote in its path; as an argument it may have one.
    assert words(command) == [":/usr/bin/env", *schedule.command]
    assert words(value(service, "ReadWritePaths")[0]) == [str(tmp_path / ODD / "s")]


def test_a_place_in_tmp_is_not_hidden():
    service = systemd_units(replace(PLAIN, drops=(Path("/tmp/drop"),)))["clearance-nightly.service"]
    assert not value(service, "PrivateTmp")


def test_a_program_that_is_installed_in_tmp_is_not_hidden(monkeypatch):
    monkeypatch.setattr(schedule_module, "_INSTALLED", (Path("/tmp/clearance/.venv"),))
    assert not value(systemd_units(PLAIN)["clearance-nightly.service"], "PrivateTmp")


def test_a_service_that_notifies_may_reach_the_network_and_reads_its_secrets():
    schedule = replace(PLAIN, network=True, secrets=True, config=Path("/etc/a b/50%.yaml"))
    service = systemd_units(schedule)["clearance-nightly.service"]
    assert not value(service, "PrivateNetwork")
    assert value(service, "EnvironmentFile") == ["-/etc/a b/50%%.env"]


def test_a_record_in_a_database_is_reached_and_its_variable_is_set(tmp_path, monkeypatch):
    config = tmp_path / "nightly.yaml"
    text = "index: i\nout: s\ndrops: {a: {path: d}}\n"

    def network_and_secrets(more=""):
        config.write_text(text + more)
        written = schedule_of(load_settings(config), config, "02:30")
        return written.network, written.secrets

    assert network_and_secrets() == (False, False)
    assert network_and_secrets("record: beside/record.sqlite\n") == (False, False)
    assert network_and_secrets("record: postgresql://db/clearance\n") == (True, False)
    monkeypatch.setenv("CLEARANCE_RECORD", "postgresql://db/clearance")
    assert network_and_secrets() == (True, True)
    assert network_and_secrets("record: beside/record.sqlite\n") == (False, False)
    schedule = schedule_of(load_settings(config), config, "02:30")
    assert not any("CLEARANCE_RECORD" in note for note in notes_of(schedule))
    config.write_text(text)
    schedule = schedule_of(load_settings(config), config, "02:30")
    assert any("CLEARANCE_RECORD" in note for note in notes_of(schedule))


def test_cron_s_line_is_run_by_a_shell_as_it_was_meant(tmp_path):
    schedule = odd(tmp_path)
    line = cron_line(schedule)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    fields = line.rstrip("\n").split(" ", 5)
    assert fields[:5] == ["30", "2", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", fields[5])
    # cron removes the backslash before a per cent sign, and passes the rest to /bin/sh.
    program = Path(schedule.command[0])
    program.write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >&2\n')
    schedule.out.mkdir()
    subprocess.run(
        ["/bin/sh", "-c", fields[5].replace("\\%", "%")], env={"PATH": "/nonexistent"}, check=True
    )
    assert (schedule.out / "scan.log").read_text().splitlines() == list(schedule.command[1:])


def test_cron_would_cut_a_long_line_off():
    with pytest.raises(ScanError, match="cut off"):
        cron_line(replace(PLAIN, command=("/bin/x", "y" * 1000)))


@pytest.mark.parametrize("at", ["24:00", "2", "02:60", "2:3", "noon", "02:30 "])
def test_an_invalid_time_is_refused(night, at, run):
    with pytest.raises(ConfigError, match="not a time of day"):
        schedule_of(load_settings(night.config), night.config, at)
    assert run("schedule", "cron", "--config", night.config, "--at", at).status == 2


def test_a_path_that_no_unit_can_hold(tmp_path):
    folder = tmp_path / "a\nb"
    folder.mkdir()
    config = folder / "nightly.yaml"
    config.write_text("index: i\nout: s\ndrops: {a: {path: d}}\n")
    with pytest.raises(ScanError, match="control characters"):
        schedule_of(load_settings(config), config, "02:30")


def test_the_command_prints_or_writes(night, run, tmp_path):
    printed = run("schedule", "systemd", "--config", night.config, "--at", "4:05")
    assert "# clearance-nightly.service" in printed.stdout
    assert "OnCalendar=*-*-* 04:05:00" in printed.stdout
    assert "mkdir -p" in printed.stderr
    units = tmp_path / "units"
    wrote = run("schedule", "systemd", "--config", night.config, "--out", units, "--json")
    assert wrote.status == 0
    assert sorted(one.name for one in units.iterdir()) == [
        "clearance-nightly.service", "clearance-nightly.timer",
    ]  # fmt: skip
    assert run("schedule", "systemd", "--config", night.config, "--out", units).status == 0
    (units / "clearance-nightly.timer").write_text("[Timer]\n")
    refused = run("schedule", "systemd", "--config", night.config, "--out", units)
    assert refused.status == 2
    assert "was not made by" in refused.stderr
    [line] = run("schedule", "cron", "--config", night.config).stdout.splitlines()
    assert line.startswith("30 2 * * * ")
    assert run("schedule", "cron", "--config", night.config, "--out", units).status == 0
    assert (units / "clearance-nightly.crontab").read_text().endswith(line + "\n")


def test_the_entry_point_is_absolute():
    assert Path(entry_point()[0]).is_absolute()
    assert Path(entry_point()[0]).exists()


def test_the_examples_in_the_docs_are_what_is_written():
    page = Path(__file__).parents[3] / "docs" / "nightly.md"
    if not page.is_file():
        pytest.skip("the documentation is only in a source checkout")
    text, home = page.read_text(encoding="utf-8"), Path("/srv/clearance")
    schedule = replace(
        PLAIN,
        command=(*PLAIN.command, "--log-json"),
        out=home / "scan",
        index=home / "index",
        drops=(Path("/mnt/drops/incoming"),),
    )
    [unit] = re.findall(r"^```ini\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    written = systemd_units(schedule)["clearance-nightly.service"].splitlines()
    assert [line for line in unit.splitlines() if line not in written] == []
    assert cron_line(schedule).split(" /opt/", 1)[1] in text
