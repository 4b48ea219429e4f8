"""A nightly scan's schedule, ready to install: a systemd service and timer, or a crontab line."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConfigError, ScanError
from pipeline.decisions.places import is_url
from pipeline.scan.settings import ENV, RECORD_VARIABLE, ScanSettings

CRON_CHARACTERS = 998
"""Longest command in bytes: cron silently cuts off the rest."""

NICE = 10
MADE = "# Made by `clearance schedule`."

_PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
_INSTALLED = (Path(sys.prefix), Path(__file__))
"""What the program reads of its own."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNRUNNABLE = re.compile(r"[\"'\\]")


@dataclass(frozen=True)
class Schedule:
    """When a scan is run, how, and which paths it needs, all of them absolute.

    Attributes:
        name: of the units.
        command: program and arguments.
        config: the configuration file.
        out: the scan directory, the only place that is written to.
        drops: folders of assets.
        index: the reference index.
        hour, minute: local time.
        user: account that runs it; None for root.
        network: whether it must reach other machines.
        secrets: whether it needs environment variables.
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
        """The file for the environment variables that `notify` and `record` need."""
        return self.config.with_suffix(".env")


def schedule_of(settings: ScanSettings, config: Path, at: str) -> Schedule:
    """The schedule of the scans of a configuration.

    Args:
        settings: the settings in `config`.
        config: the configuration file.
        at: a time of day, such as `02:30`.

    Raises:
        ScanError: if a unit or a crontab can't hold a path: it has control characters, or is not
            UTF-8.
        ConfigError: if `at` is not a time of day.
    """
    time = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if time is None:
        raise ConfigError(f"{at} is not a time of day; write it as 02:30, with hours up to 23.")
    file = config.resolve()
    places = [settings.drop_place(name) for name in settings.drops]
    record = settings.record_place()
    drops = tuple(place.resolve() for place in places if isinstance(place, Path))
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
    """The command that runs this installation, from any folder and with any PATH."""
    script = Path(sys.executable).parent / "clearance"
    if os.access(script, os.X_OK):
        return (str(script.absolute()),)
    # -P: otherwise a folder named `pipeline` in the working folder would be run instead.
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
    """A service and a timer, by file name, from the files in `templates`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
        autoescape=select_autoescape(),  # of HTML, which these are not
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["quoted"] = _quoted
    templates.filters["percent"] = _percent
    values = {
        "made": MADE,
        "nice": NICE,
        "schedule": schedule,
        "command": _exec_start(schedule.command),
        "uses_tmp": _uses_tmp(schedule),
    }
    return {
        f"{schedule.name}.{unit}": templates.get_template(f"scan.{unit}.j2").render(values)
        for unit in ("service", "timer")
    }


def _exec_start(command: Sequence[str]) -> str:
    """The command as a unit has it; `:` keeps systemd from replacing variables in it."""
    # systemd refuses to run a program with a quote or a backslash in its path, but takes one as an
    # argument.
    first, *rest = ("/usr/bin/env", *command) if _UNRUNNABLE.search(command[0]) else command
    return " ".join(_quoted(word) for word in (f":{first}", *rest))


def _uses_tmp(schedule: Schedule) -> bool:
    """Whether the scan needs a path in /tmp or /var/tmp, which `PrivateTmp` would hide."""
    program = (Path(schedule.command[0]), *_INSTALLED)
    paths = (schedule.out, schedule.index, *schedule.drops, schedule.config, *program)
    return any(path.is_relative_to(tmp) for path in paths for tmp in _PRIVATE)


def _quoted(word: object) -> str:
    """A word of a unit's line, quoted."""
    escaped = str(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _percent(text: object) -> str:
    """A text of a unit's line: systemd replaces specifiers such as %h."""
    return str(text).replace("%", "%%")


def cron_line(schedule: Schedule) -> str:
    """A line of a crontab, with its newline.

    Raises:
        ScanError: if cron would cut it off.
    """
    nice = shutil.which("nice")
    words = [*([nice, "-n", str(NICE)] if nice else []), *schedule.command]
    log = shlex.quote(str(schedule.out / "scan.log"))
    # cron ends the command at an unescaped %, even within quotes.
    command = f"{shlex.join(words)} >/dev/null 2>>{log}".replace("%", "\\%")
    if len(command.encode()) > CRON_CHARACTERS:
        raise ScanError(
            f"The command has more than {CRON_CHARACTERS} bytes, of which cron would cut off the "
            "rest; put it into a script, or choose shorter paths."
        )
    return f"{schedule.minute} {schedule.hour} * * * {command}\n"


def write_files(files: dict[str, str], folder: Path) -> list[Path]:
    """Writes files into `folder`, which is created if needed.

    Raises:
        ScanError: if a file of that name is there that does not begin with `MADE`.
        OSError: if nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        existing = folder / name
        if existing.exists() and not existing.read_text(errors="replace").startswith(MADE):
            raise ScanError(
                f"{existing} is there and was not made by `clearance schedule`; name another "
                "folder with --out, or move it away."
            )
    written = []
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def notes_of(schedule: Schedule) -> list[str]:
    """Sentences on what has to be done before the first night."""
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
