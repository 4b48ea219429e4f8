"""A nightly scan's schedule, ready to install: a systemd service and timer, or a crontab line."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConfigError, ScanError
from pipeline.decisions.places import is_url
from pipeline.scan.settings import ENV, RECORD_VARIABLE, ScanSettings

CRON_CHARACTERS = 998
"""What cron takes of a command; it cuts off the rest and says nothing."""

NICE = 10
MADE = "# Made by `clearance schedule`."

_PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNRUNNABLE = re.compile(r"[\"'\\]")


@dataclass(frozen=True)
class Schedule:
    """What is to be run when, and what of the machine it touches. All paths are absolute.

    Attributes:
        name: of the units.
        command: program and arguments.
        config: the configuration file.
        out: the scan directory, the one place that is written to.
        drops: folders of assets.
        index: the reference index.
        hour, minute: when, in the machine's own time.
        user: who runs it; None for root.
        network: whether it has to reach other machines.
        secrets: whether it takes anything from the environment.
    """

    name: str
    command: tuple[str, ...]
    config: Path
    out: Path
    drops: tuple[Path, ...]
    index: Path
    hour: int
    minute: int
    user: str | None
    network: bool
    secrets: bool

    @property
    def environment(self) -> Path:
        """The file in which variables that `notify` names, and the record's, can be set."""
        return self.config.with_suffix(".env")


def schedule_of(settings: ScanSettings, config: Path, at: str) -> Schedule:
    """The schedule of the scans of a configuration.

    Args:
        settings: what `config` says.
        config: the file.
        at: a time of day, such as `02:30`.

    Raises:
        ScanError: if a path can't stand in a unit or a crontab: it has control characters, or is
            not UTF-8.
        ConfigError: if `at` is no time of day.
    """
    time = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if time is None:
        raise ConfigError(f"{at} is no time of day; write it as 02:30, with hours up to 23.")
    file = config.resolve()
    places = [settings.drop_place(name) for name in settings.drops]
    record = settings.record_place()
    drops = tuple(where.resolve() for where in places if isinstance(where, Path))
    out, index = settings.place(settings.out).resolve(), settings.place(settings.index).resolve()
    command = (*entry_point(), "scan", "--config", str(file), "--log-json")
    for text in (*command, *map(str, (*drops, out, index))):
        _check(text)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-")
    return Schedule(
        name=f"clearance-{stem or 'scan'}",
        command=command,
        config=file,
        out=out,
        drops=drops,
        index=index,
        hour=int(time[1]),
        minute=int(time[2]),
        user=_user(),
        network=bool(settings.notify.to) or len(drops) < len(places) or is_url(record),
        secrets=settings.record_from_environment
        or any(target.startswith(ENV) for target in settings.notify.to),
    )


def entry_point() -> tuple[str, ...]:
    """How this installation is run, from any folder and with any PATH."""
    script = Path(sys.executable).parent / "clearance"
    if os.access(script, os.X_OK):
        return (str(script.absolute()),)
    # -P, or a folder named pipeline where cron starts would be run instead.
    return (str(Path(sys.executable).absolute()), "-P", "-m", "pipeline")


def _user() -> str | None:
    if os.geteuid() == 0:
        return None
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _check(text: str) -> None:
    if _CONTROL.search(text):
        raise ScanError(
            f"The path {text!r} has control characters, which no unit and no crontab can hold; "
            "choose another path."
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ScanError(
            f"The path {os.fsencode(text)!r} is not UTF-8, which no unit can hold; choose another "
            "path."
        ) from None


def systemd_units(schedule: Schedule) -> dict[str, str]:
    """A service and a timer, by file name."""
    return {
        f"{schedule.name}.service": _service(schedule),
        f"{schedule.name}.timer": _timer(schedule),
    }


def _service(schedule: Schedule) -> str:
    # systemd refuses to run a program with a quote or a backslash in its path, as an argument not.
    odd = _UNRUNNABLE.search(schedule.command[0]) is not None
    through = ["/usr/bin/env"] if odd else []
    first, *rest = (*through, *schedule.command)
    command = " ".join(_quoted(word) for word in (f":{first}", *rest))
    places = (schedule.out, schedule.index, *schedule.drops, schedule.config, *_program(schedule))
    in_tmp = any(place.is_relative_to(tmp) for place in places for tmp in _PRIVATE)
    lines = [
        MADE,
        "[Unit]",
        "Description=Clearance: scan of what changed in drop folders",
        f"RequiresMountsFor={_quoted(str(schedule.out))}",
        *(["Wants=network-online.target", "After=network-online.target"] * schedule.network),
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command}",
        "# Status 1 and 3 are scans that completed and found something; 143 is a stopped one.",
        "SuccessExitStatus=1 3 143",
        "# The log is on standard error. What is on standard output names assets.",
        "StandardOutput=null",
        "StandardError=journal",
        "# A stop reaches the scan alone, which then ends its workers itself.",
        "KillMode=mixed",
        "TimeoutStopSec=2min",
        f"User={schedule.user}"
        if schedule.user is not None
        else "# This runs as root. Name an account that can read the drops: User=NAME",
        *([f"EnvironmentFile=-{_percent(str(schedule.environment))}"] if schedule.secrets else []),
        f"Nice={NICE}",
        "IOSchedulingClass=idle",
        "",
        "# Originals are never written: all is read-only but the scan directory and the index's",
        "# cache, which follows from the index and can be deleted.",
        "ProtectSystem=strict",
        f"ReadWritePaths={_quoted(str(schedule.out))}",
        f"ReadWritePaths={_quoted('-' + str(schedule.index / 'cache'))}",
        f"ReadOnlyPaths={_quoted('-' + str(schedule.index))}",
        *(f"ReadOnlyPaths={_quoted('-' + str(drop))}" for drop in schedule.drops),
        *(
            ["# PrivateTmp=true would hide a place named here that lies in /tmp."]
            if in_tmp
            else ["PrivateTmp=true"]
        ),
        *([] if schedule.network else ["PrivateNetwork=true"]),
        "NoNewPrivileges=true",
        "ProtectControlGroups=true",
        "ProtectKernelModules=true",
        "ProtectKernelTunables=true",
        "ProtectKernelLogs=true",
        "ProtectClock=true",
        "LockPersonality=true",
        "RestrictNamespaces=true",
        "RestrictRealtime=true",
        "RestrictSUIDSGID=true",
        "SystemCallArchitectures=native",
    ]
    return "\n".join(lines) + "\n"


def _program(schedule: Schedule) -> tuple[Path, ...]:
    return (Path(schedule.command[0]), Path(sys.prefix), Path(__file__))


def _timer(schedule: Schedule) -> str:
    lines = [
        MADE,
        "[Unit]",
        "Description=Clearance: every night",
        "",
        "[Timer]",
        f"OnCalendar=*-*-* {schedule.hour:02d}:{schedule.minute:02d}:00",
        "# A night on which the machine was off is made up for.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    """A word of a unit's line; variables are left alone by the `:` before the command."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def cron_line(schedule: Schedule) -> str:
    """A line of a crontab, with its newline.

    Raises:
        ScanError: if cron would cut it off.
    """
    nice = shutil.which("nice")
    words = [*([nice, "-n", str(NICE)] if nice else []), *schedule.command]
    log = shlex.quote(str(schedule.out / "scan.log"))
    # cron itself takes a bare % for the end of the command, whatever quotes it stands in.
    command = f"{shlex.join(words)} >/dev/null 2>>{log}".replace("%", "\\%")
    if len(command.encode()) > CRON_CHARACTERS:
        raise ScanError(
            f"The command has more than {CRON_CHARACTERS} bytes, of which cron would cut off the "
            "rest; put it into a script, or choose shorter paths."
        )
    return f"{schedule.minute} {schedule.hour} * * * {command}\n"


def write_files(files: dict[str, str], folder: Path) -> list[Path]:
    """Writes files into `folder`, which is made if it is not there.

    Raises:
        ScanError: if a file of that name is there that was not made so, or has been changed by
            hand to say so no more.
        OSError: if nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        there = folder / name
        if there.exists() and not there.read_text(errors="replace").startswith(MADE):
            raise ScanError(
                f"{there} is there and was not made by `clearance schedule`; name another folder "
                "with --out, or move it away."
            )
    written = []
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def notes_of(schedule: Schedule) -> list[str]:
    """What has to be done before the first night."""
    notes = []
    if not schedule.out.is_dir():
        notes.append(f"Make the scan directory first: mkdir -p {shlex.quote(str(schedule.out))}")
    if schedule.secrets and not schedule.environment.is_file():
        notes.append(
            f"Set the variables that notify names, and {RECORD_VARIABLE} if it is set here: for "
            f"systemd in {schedule.environment}, a line NAME=value each, readable "
            "by nobody else; for cron in lines above this one."
        )
    return notes
