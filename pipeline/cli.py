"""The command line: parse, call, print, exit code. Nothing is decided here.

Every import of the product's own steps is inside a command, so that `clearance --help` answers
at once. Long, because every command's options and their help stand here and nowhere else.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.json_log import JsonLog

EXIT_OK = 0
EXIT_FAIL_ON = 1
EXIT_WRONG = 2
EXIT_NOT_SCREENED = 3
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143

app = typer.Typer(
    name="clearance",
    help="Screen generated images and scripts for copyright risk. A person decides; Clearance "
    "shows where to look and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
index_app = typer.Typer(
    name="index",
    help="Make and keep a reference index of protected works.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(index_app)
audit_app = typer.Typer(
    name="audit",
    help="Verify, sign and export the record of what people decided.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(audit_app)
schedule_app = typer.Typer(
    name="schedule",
    help="Write out a schedule for nightly scans, ready to install.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(schedule_app)

CommandLineError: Any = typer.BadParameter.__mro__[2]
"""click's ClickException, wherever this release of typer has click from."""

P = ParamSpec("P")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        help="Log JSON lines to standard error, and nothing else there: counts and ids alone.",
    ),
]
Index = Annotated[Path, typer.Argument(metavar="IDX", help="The folder of the reference index.")]
_LOG: ContextVar[JsonLog | None] = ContextVar("log", default=None)
"""The log of the command under way, with --log-json."""


class FailOn(StrEnum):
    """Bands that `--fail-on` takes."""

    escalate = "escalate"
    review = "review"


def say(text: str = "") -> None:
    """Prints plain text, with control characters made visible."""
    from pipeline.visible import visible

    typer.echo(visible(text, keep_newlines=True))


def emit(value: dict[str, Any]) -> None:
    """Prints one JSON object."""
    typer.echo(json.dumps(value, ensure_ascii=True, sort_keys=True, default=str))


def stderr() -> Console:
    """The console for progress and messages; results alone go to standard output."""
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> Console:
    """The console for results."""
    from rich.console import Console

    class Results(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1, which says something else here

    return Results()


def reported(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turns the errors that Clearance raises on purpose into one message and exit status 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        with ExitStack() as stack:
            if kwargs.get("_log_json"):
                from pipeline.json_log import json_log

                log = stack.enter_context(json_log())
                stack.callback(_LOG.reset, _LOG.set(log))

            def called() -> int | None:
                from pipeline.places import refuse_url

                for value in kwargs.values():
                    if isinstance(value, Path):
                        refuse_url(value)
                return command(*args, **kwargs)

            status = _ended(command.__name__, called, as_json)
        raise typer.Exit(status)

    return run


def _ended(name: str, run: Callable[[], int | None], as_json: bool) -> int:
    """The exit status of a command; what stopped it is told."""
    from pipeline.errors import ScreeningError
    from pipeline.interruption import Interrupted

    log = _LOG.get()

    def told(message: str, error: BaseException, status: int) -> int:
        if log is not None:
            _log_end(log, name, error, status)
        # The log is alone on standard error, and a message may name an asset.
        _complain(message, getattr(error, "problems", ()), as_json, err=log is None)
        return status

    try:
        return run() or EXIT_OK
    except ScreeningError as error:
        return told(str(error), error, status_of(error))
    except BrokenPipeError:
        raise
    except UnicodeError as error:
        return told(
            "A path holds bytes that are not UTF-8, which the index's tables can't have in "
            "their names; choose another path.",
            error,
            status_of(error),
        )
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{where}; nothing more was done."
        return told(message, error, status_of(error))
    except Interrupted as error:
        return told("Interrupted; the next scan goes on where this one was.", error, error.status)
    except KeyboardInterrupt as error:
        return told("Interrupted; whatever was there before is whole.", error, EXIT_INTERRUPTED)
    except Exception as error:
        if log is None or isinstance(error, (CommandLineError, typer.Exit, typer.Abort)):
            raise
        _log_end(log, name, error, EXIT_DEFECT)
        return EXIT_DEFECT


def status_of(error: BaseException) -> int:
    """The exit status of a command that an error ended."""
    from pipeline.errors import ScreeningError

    known = isinstance(error, ScreeningError | UnicodeError | OSError)
    return EXIT_WRONG if known else EXIT_DEFECT


def _log_end(log: JsonLog, command: str, error: BaseException, status: int) -> None:
    from pipeline.failures import failure_in_words, loggable_message, place_of

    if isinstance(error, KeyboardInterrupt):
        log.event(f"{command}_interrupted", exit_status=status)
        return
    facts: dict[str, Any] = {"error": type(error).__name__, "why": failure_in_words(error)}
    if status == EXIT_DEFECT:
        facts["where"] = place_of(error)
    message = loggable_message(error)
    if message is not None:
        facts["message"] = message
    log.event(f"{command}_failed", exit_status=status, **facts)


def _complain(message: str, problems: tuple[str, ...], as_json: bool, *, err: bool = True) -> None:
    from pipeline.visible import visible

    if as_json:
        emit({"error": message, "problems": list(problems)})
        return
    typer.echo(f"clearance: {visible(message, keep_newlines=True)}", err=err)
    for problem in problems:
        if problem not in message:
            typer.echo(f"  {visible(problem)}", err=err)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"clearance {version('clearance')}")
        raise typer.Exit


@app.callback()
def _root(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@index_app.command("create")
@reported
def index_create(
    index: Index,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Embedding model: clearance-mini, an open_clip NAME:PRETRAINED, NAME:/checkpoint, "
            "hf-hub:ORG/NAME or local-dir:/folder.",
        ),
    ] = "clearance-mini",
    keep_content: Annotated[
        bool,
        typer.Option(
            help="Keep thumbnails and texts of the works, so that reviewers see both sides."
        ),
    ] = True,
    as_json: Json = False,
) -> int:
    """Make a new, empty index."""
    from pipeline.register import create_index

    made = create_index(index, model=model, keep_content=keep_content)
    if as_json:
        emit(_index_summary(made))
    else:
        say(f"Made the index {index} (model {model}). Add works: clearance index add {index} WORKS")
    return EXIT_OK


def _index_summary(index: Any) -> dict[str, Any]:
    return {
        "index": str(index.path),
        "version": index.version,
        "digest": index.digest,
        "works": len(index.works),
        "files": len(index.files),
        "keep_content": index.keep_content,
        "specs": {name: spec.to_json() for name, spec in index.specs.items()},
    }


@index_app.command("add")
@reported
def index_add(
    index: Index,
    works: Annotated[
        Path,
        typer.Argument(
            metavar="WORKS", help="A manifest (CSV or JSONL), or a folder: each file a work."
        ),
    ],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Add the good rows and report the bad ones.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Register protected works: all of them, or none if a row is bad."""
    from pipeline.progress import shown
    from pipeline.register import add_works

    with shown(stderr()) as progress:
        done = add_works(index, works, skip_bad=skip_bad, progress=progress)
    if as_json:
        emit(
            {
                "index": str(index),
                "version": done.version,
                "works_added": done.works,
                "files_added": done.files,
                "unchanged": done.unchanged,
                "problems": list(done.problems),
                "notes": list(done.notes),
            }
        )
        return EXIT_OK
    for note in done.notes:
        say(f"note: {note}")
    for problem in done.problems:
        say(f"left out: {problem}")
    already = f"; {done.unchanged} were there already" if done.unchanged else ""
    left = f"; {len(done.problems)} left out" if done.problems else ""
    say(
        f"Added {_count(done.files, 'file')} of {_count(done.works, 'new work')}{already}{left}. "
        f"The index is at version {done.version}."
    )
    return EXIT_OK


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@index_app.command("list")
@reported
def index_list(
    index: Index,
    version: Annotated[int | None, typer.Option(help="An earlier version of the index.")] = None,
    as_json: Json = False,
) -> int:
    """List the works of an index."""
    from pipeline.index_terminal import print_works
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index, version)
    if as_json:
        files: dict[str, int] = {}
        for file in opened.files:
            files[file.work_id] = files.get(file.work_id, 0) + 1
        works = [
            {
                "work_id": work.work_id,
                "title": work.title,
                "rightsholder": work.rightsholder,
                "rights": work.rights,
                "files": files.get(work.work_id, 0),
            }
            for work in opened.works
        ]
        emit({**_index_summary(opened), "works": works})
    else:
        print_works(opened, stdout())
    return EXIT_OK


@index_app.command("show")
@reported
def index_show(
    index: Index,
    work_id: Annotated[
        str | None, typer.Argument(metavar="WORK_ID", help="One work; without it, the index.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show an index (versions, fingerprints, model), or one work of it."""
    from pipeline.index_terminal import print_index, print_work
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    if work_id is None:
        if as_json:
            emit({**_index_summary(opened), "history": opened.history()})
        else:
            print_index(opened, stdout())
        return EXIT_OK
    work = opened.work(work_id)
    files = [file for file in opened.files if file.work_id == work_id]
    if as_json:
        from dataclasses import asdict

        emit({"work": asdict(work), "files": [asdict(file) for file in files]})
    else:
        print_work(work, files, stdout())
    return EXIT_OK


@index_app.command("remove")
@reported
def index_remove(
    index: Index,
    work_ids: Annotated[list[str], typer.Argument(metavar="WORK_ID", help="Works to take out.")],
    as_json: Json = False,
) -> int:
    """Take works out of an index; earlier versions still hold them."""
    from reference_index.store import ReferenceIndex

    version = ReferenceIndex.open(index).remove(work_ids)
    removed = len(set(work_ids))
    if as_json:
        emit({"index": str(index), "version": version, "removed": removed})
    else:
        say(f"Took out {_count(removed, 'work')}. The index is at version {version}.")
    return EXIT_OK


@index_app.command("verify")
@reported
def index_verify(index: Index, as_json: Json = False) -> int:
    """Read everything in an index again and compare it with the recorded digests."""
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    faults = opened.verify()
    if as_json:
        emit({**_index_summary(opened), "faults": faults})
    elif faults:
        for fault in faults:
            say(fault)
        say(f"{_count(len(faults), 'fault')}: restore the index from a copy, or make it anew.")
    else:
        say(
            f"Version {opened.version} is whole: {_count(len(opened.works), 'work')}, "
            f"{_count(len(opened.files), 'file')}, digest {opened.digest}."
        )
    return EXIT_WRONG if faults else EXIT_OK


@app.command()
@reported
def screen(
    drop: Annotated[
        str,
        typer.Argument(metavar="DROP", help="A folder of assets, one file, or s3://BUCKET/PREFIX."),
    ],
    index: Annotated[
        Path, typer.Option("--index", metavar="IDX", help="The folder of the reference index.")
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="OUT",
            help="Where the results are written: a folder, or s3://BUCKET/PREFIX.",
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A configuration, such as configs/strict.yaml."),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with status 1 if any row is in this band or above."),
    ] = None,
    index_version: Annotated[
        int | None,
        typer.Option(metavar="N", help="An earlier version of the index, to repeat a run."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="RECORD",
            help="A record of decisions: what people agreed is a false match is suppressed.",
        ),
    ] = None,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Screen a drop against an index and write the risk table and report."""
    from pipeline.places import place
    from pipeline.progress import shown
    from pipeline.risk_terminal import print_run
    from pipeline.screening import screen as run

    source, target = place(drop), place(out)
    log = _LOG.get()
    with shown(stderr()) if log is None else nullcontext(log.progress) as progress:
        done = run(
            source,
            index,
            target,
            config=config,
            index_version=index_version,
            record=record,
            progress=progress,
        )
    status = exit_status(done.counts, fail_on, done.flagged_in_part)
    if log is not None:
        facts = {name: value for name, value in done.summary().items() if name not in _UNTOLD}
        log.event("screen_finished", exit_status=status, **facts)
    elif not done.rows:
        # A remark and no result, so on standard error with --json as well.
        _complain(f"{drop} holds no files; see that it is the folder you meant.", (), False)
    if as_json:
        emit(done.summary())
    else:
        print_run(done, stdout())
    return status


_UNTOLD = frozenset({"not_run", "out", "results"})
"""What of a run's summary a log leaves out: places, and sentences that may name one."""


def exit_status(counts: dict[str, int], fail_on: FailOn | None, flagged_in_part: int = 0) -> int:
    """The documented exit status of a run that completed, from its counts by band and of flagged
    rows that were not screened in full.
    """
    over = {
        None: (),
        FailOn.escalate: ("escalate",),
        FailOn.review: ("escalate", "review"),
    }[fail_on]
    if any(counts.get(band) for band in over):
        return EXIT_FAIL_ON
    if counts.get("not_screened") or counts.get("partly_screened") or flagged_in_part:
        return EXIT_NOT_SCREENED
    return EXIT_OK


@app.command()
@reported
def scan(
    config: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Drops, index and scan directory: configs/nightly.yaml."),
    ],
    history: Annotated[
        str | None,
        typer.Option(
            metavar="ASSET",
            help="Instead of scanning, what earlier scans said of an asset: its path, the end of "
            "it, or its SHA-256's beginning.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with status 1 if anything new or risen is in this band or above."),
    ] = None,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Scan drop folders again and say what changed since the scan before."""
    from pipeline.scan.settings import load_settings

    settings = load_settings(config)
    if history is not None:
        return _scan_history(settings, history, as_json=as_json)
    from pipeline.progress import shown, silent
    from pipeline.scan.operation import Statuses, operate
    from pipeline.scan.run import unheard
    from pipeline.scan_terminal import print_scan

    statuses = Statuses(lambda summary: scan_exit_status(summary, fail_on), status_of)
    log = _LOG.get()
    if log is not None:
        done = operate(settings, statuses, progress=silent, say=unheard, log=log)
    else:
        console = stderr()
        with shown(console) as progress:
            done = operate(
                settings,
                statuses,
                progress=progress,
                say=lambda text: console.print(text, markup=False, highlight=False),
            )
    if as_json:
        emit({**done.summary, "out": str(done.folder), "notes": list(done.notes)})
    else:
        print_scan(done, stdout())
    return scan_exit_status(done.summary, fail_on)


def _scan_history(settings: Any, asset: str, *, as_json: bool) -> int:
    from dataclasses import asdict

    from pipeline.scan.history import history_of
    from pipeline.scan_terminal import print_history

    seen = history_of(settings, asset)
    if as_json:
        emit({"asset": asset, "rows": [asdict(one) for one in seen]})
    else:
        print_history(asset, seen, stdout())
    return EXIT_OK


def scan_exit_status(summary: dict[str, Any], fail_on: FailOn | None) -> int:
    """The documented exit status of a scan that completed, from its summary."""
    anew, counts = summary["flagged_anew"], summary["counts"]
    over = {
        None: (),
        FailOn.escalate: ("escalate",),
        FailOn.review: ("escalate", "review"),
    }[fail_on]
    if any(anew[band] for band in over):
        return EXIT_FAIL_ON
    unsure = counts["not_screened"] or counts["partly_screened"] or summary["flagged_in_part"]
    unread = summary["unreachable"] or summary["record"] == "unusable"
    return EXIT_NOT_SCREENED if unsure or unread else EXIT_OK


ScanConfig = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The configuration of the scans.")
]
At = Annotated[str, typer.Option(metavar="HH:MM", help="When, in the machine's own time.")]
UnitsOut = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where files are written; printed without it.")
]


@schedule_app.command("systemd")
@reported
def schedule_systemd(
    config: ScanConfig, at: At = "02:30", out: UnitsOut = None, as_json: Json = False
) -> int:
    """A systemd service and timer."""
    from pipeline.scan.schedule import schedule_of, systemd_units
    from pipeline.scan.settings import load_settings

    schedule = schedule_of(load_settings(config), config, at)
    return _give(schedule, systemd_units(schedule), out, as_json=as_json)


@schedule_app.command("cron")
@reported
def schedule_cron(
    config: ScanConfig, at: At = "02:30", out: UnitsOut = None, as_json: Json = False
) -> int:
    """A line for a crontab."""
    from pipeline.scan.schedule import MADE, cron_line, schedule_of
    from pipeline.scan.settings import load_settings

    schedule = schedule_of(load_settings(config), config, at)
    line = cron_line(schedule)
    text = line if out is None else f"{MADE}\n{line}"
    return _give(schedule, {f"{schedule.name}.crontab": text}, out, as_json=as_json)


def _give(schedule: Any, files: dict[str, str], out: Path | None, *, as_json: bool) -> int:
    """Prints the files of a schedule, or writes them."""
    from pipeline.scan.schedule import notes_of, write_files

    written = write_files(files, out) if out is not None else []
    notes = notes_of(schedule)
    if as_json:
        emit({"files": files, "written": [str(one) for one in written], "notes": notes})
        return EXIT_OK
    for name, text in files.items():
        if out is None:
            if len(files) > 1:
                typer.echo(f"# {name}")
            typer.echo(text, nl=len(files) > 1)
    for one in written:
        say(f"Wrote {one}.")
    for note in notes:
        _complain(note, (), False)
    return EXIT_OK


@app.command()
@reported
def explain(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="The results of a run: a folder, or s3://BUCKET/PREFIX."
        ),
    ],
    asset: Annotated[
        str,
        typer.Argument(
            metavar="ASSET", help="Its path in the drop, the end of it, or its SHA-256's beginning."
        ),
    ],
    overlay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Draw where the work lies in the asset, from the asset's own file, and stop.",
        ),
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(metavar="WORK_ID", help="With --overlay: another work than the row's own."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Explain a row: each stage's outcome and contribution, each match's evidence."""
    from pipeline.explain import explain as explain_text
    from pipeline.explain import explain_json
    from pipeline.places import place

    if work is not None and overlay is None:
        raise typer.BadParameter("--work goes with --overlay FILE.png")
    results = place(out)
    if overlay is not None:
        from dataclasses import asdict

        from pipeline.explain_overlay import write_overlay

        done = write_overlay(results, asset, overlay, work)
        if as_json:
            emit(asdict(done))
        else:
            say(f"{done.sentence} {done.note}".rstrip())
            say(f"Wrote {done.file}.")
        return EXIT_OK
    if as_json:
        emit(explain_json(results, asset))
        return EXIT_OK
    explain_text(results, asset, stdout())
    return EXIT_OK


@app.command()
@reported
def evaluate(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELLED",
            help="A CSV of labelled pairs: asset, work_id (blank for a copy of nothing), copy.",
        ),
    ],
    index: Annotated[
        Path, typer.Option("--index", metavar="IDX", help="The folder of the reference index.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A configuration, such as configs/strict.yaml."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Where figures, pairs and pictures are written."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Fit a calibration to the pairs and write it here."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Say how well screening does on labelled pairs of your own; fit a calibration to them."""
    from pipeline.evaluate import evaluate as run
    from pipeline.evaluation_terminal import print_evaluation
    from pipeline.progress import shown

    with shown(stderr()) as progress:
        done = run(labels, index, config=config, out=out, calibrate=calibrate, progress=progress)
    if as_json:
        emit(done.summary())
    else:
        print_evaluation(done, stdout())
    if done.refused:
        _complain(done.refused, (), False)
        return EXIT_WRONG
    return EXIT_OK


RecordPlace = Annotated[
    str,
    typer.Argument(
        metavar="RECORD",
        envvar="CLEARANCE_RECORD",
        help="A folder of results or scan directory, the record's file, or a postgresql:// URL.",
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        metavar="FILE.jsonl",
        help="Where checkpoints are kept; beside a record in SQLite if not given.",
    ),
]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option("--public-key", metavar="FILE", help="A key whose checkpoints are trusted."),
]


@audit_app.command("verify")
@reported
def audit_verify(
    record: RecordPlace,
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Read the whole record and name the first event that was altered, removed or reordered."""
    verified = _verified(record, checkpoints, public_keys)
    if as_json:
        emit(verified.summary())
        return EXIT_OK if verified.whole else EXIT_WRONG
    for sentence in (*verified.faults, *verified.notes):
        say(sentence)
    if verified.whole:
        say(
            f"The record {verified.record} is whole: {_count(verified.events, 'event')}, the last "
            f"with hash {verified.head}."
        )
        return EXIT_OK
    say(
        f"{_count(len(verified.faults), 'fault')}: {_count(verified.events, 'event')} before the "
        "first are what was written. Restore the record from a copy."
    )
    return EXIT_WRONG


def _verified(record: str, checkpoints: Path | None, public_keys: list[Path] | None) -> Any:
    from pipeline.review.audit import verify
    from pipeline.review.checkpoints import public_key

    keys = [public_key(file) for file in public_keys or ()]
    return verify(record, checkpoints=checkpoints, keys=keys)


@audit_app.command("key")
@reported
def audit_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the signing key is put.")],
    as_json: Json = False,
) -> int:
    """Make a key to sign checkpoints with: FILE, and FILE.pub to verify them with."""
    from pipeline.review.checkpoints import fingerprint, make_key, public_key

    public = make_key(file)
    name = fingerprint(public_key(public))
    if as_json:
        emit({"key": str(file), "public_key": str(public), "fingerprint": name})
    else:
        say(f"Made {file}, for its owner alone, and {public}. Fingerprint: {name}")
    return EXIT_OK


@audit_app.command("checkpoint")
@reported
def audit_checkpoint(
    record: RecordPlace,
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The signing key of clearance audit key.")
    ],
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Verify the record, then sign how far it goes, so that a cut-off end is seen later."""
    from pipeline.review.audit import sign_checkpoint
    from pipeline.review.checkpoints import public_key

    trusted = [public_key(one) for one in public_keys or ()]
    done, file = sign_checkpoint(record, key, checkpoints, trusted)
    if as_json:
        emit({**done.statement(), "checkpoints": str(file)})
    else:
        say(f"Checkpoint {done.number} of {_count(done.seq, 'event')} was added to {file}.")
    return EXIT_OK


class ExportFormat(StrEnum):
    """What `audit export` writes."""

    csv = "csv"
    json = "json"
    html = "html"


@audit_app.command("export")
@reported
def audit_export(
    record: RecordPlace,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new file.")],
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="What to write, if FILE's name does not end in it."),
    ] = None,
    checkpoints: CheckpointFile = None,
    public_keys: PublicKeys = None,
    as_json: Json = False,
) -> int:
    """Write every event of the record as CSV, JSON or HTML."""
    from pipeline.review.export import Format, write_export
    from pipeline.review.record import Record

    name = form.value if form else out.suffix.lower().removeprefix(".")
    if name not in [one.value for one in Format]:
        raise typer.BadParameter(f"{out} does not end in .csv, .json or .html; give --format")
    verified = _verified(record, checkpoints, public_keys)
    events = write_export(Record.open(record), verified, out, Format(name))
    if as_json:
        emit({"file": str(out), "events": events, "verified": verified.summary()})
    else:
        say(f"Wrote {_count(events, 'event')} to {out}.")
    if verified.whole:
        return EXIT_OK
    _complain(
        f"The record is not what was written, so only the events before are there: "
        f"{verified.faults[0]}",
        (),
        False,
    )
    return EXIT_WRONG


@audit_app.command("table")
@reported
def audit_table(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The results of a run.")],
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="RECORD",
            envvar="CLEARANCE_RECORD",
            help="The record, if it is not record.sqlite beside the results.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write risk_table_decided.csv and .parquet: the risk table with what people decided."""
    from collections import Counter

    from pipeline.results import DECIDED, DECIDED_CSV
    from pipeline.review.decided import write_decided
    from pipeline.review.record import Record

    table = write_decided(out, Record.open(record if record is not None else out))
    states = dict(sorted(Counter(table.column("decision_state").to_pylist()).items()))
    if as_json:
        emit({"files": [str(out / DECIDED), str(out / DECIDED_CSV)], "states": states})
    else:
        said = ", ".join(f"{number:,} {state}" for state, number in states.items())
        say(f"Wrote {out / DECIDED_CSV} and {DECIDED}: {said or 'no rows'}.")
    return EXIT_OK


@audit_app.command("rules")
@reported
def audit_rules(
    record: RecordPlace,
    second_person: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BAND",
            help="Bands whose rows two persons decide on; `none` for no band. All are to be named.",
        ),
    ] = None,
    reason_in: Annotated[
        list[str] | None,
        typer.Option(metavar="BAND", help="Bands whose rows want a reason; `none` for no band."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who sets them; it is written down.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show what is asked of decisions, or set it. Setting it is an event of the record."""
    from dataclasses import replace

    from pipeline.review.events import bands_named
    from pipeline.review.record import Record

    setting = second_person is not None or reason_in is not None
    if setting and by is None:
        raise typer.BadParameter("setting rules needs --by NAME")
    opened = Record.open(record, create=setting, actor=by or "clearance")
    rules = opened.rules
    if second_person is not None:
        rules = replace(rules, second_person=bands_named(second_person))
    if reason_in is not None:
        rules = replace(rules, reason_in=bands_named(reason_in))
    if setting:
        opened.set_rules(str(by), rules)
        rules = opened.rules
    if as_json:
        emit({"second_person": list(rules.second_person), "reason_in": list(rules.reason_in)})
    else:
        say(f"A second person decides on: {', '.join(rules.second_person) or 'nothing'}.")
        say(f"A reason is needed for: {', '.join(rules.reason_in) or 'nothing'}, and false_match.")
    return EXIT_OK


class PageRole(StrEnum):
    """What a person may do on the review page; each may what those before it may."""

    reader = "reader"
    reviewer = "reviewer"
    approver = "approver"


@app.command()
@reported
def review(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT_OR_SCAN", help="The results of a run, or a scan directory for its latest."
        ),
    ],
    port: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=65535, help="The port; any if not given.")
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="H", help="The address to listen on; others than loopback need --users."
        ),
    ] = "127.0.0.1",
    users: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may sign in, as clearance review-user writes it."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="RECORD",
            envvar="CLEARANCE_RECORD",
            help="The record of decisions, if it is not record.sqlite beside the results.",
        ),
    ] = None,
    second_person: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BAND",
            help="Bands whose rows two persons decide on; `none` for no band. All are to be named.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Who decides; your login name if not given."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that browsers may ask for the page under."),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address and open no browser.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Serve the review page: look at rows side by side with works, and decide."""
    from dataclasses import asdict

    from pipeline.review.page.serve import Asked, Served, serve

    def tell(served: Served) -> None:
        if as_json:
            emit(asdict(served))
        else:
            for sentence in served.sentences():
                say(sentence)
        sys.stdout.flush()

    bands = None
    if second_person is not None:
        from pipeline.review.events import bands_named

        bands = bands_named(second_person)
    serve(
        Asked(
            out,
            port=port,
            host=host,
            users=users,
            record=record,
            second_person=bands,
            name=name,
            open_browser=not no_open,
            allow_hosts=tuple(allow_host or ()),
        ),
        tell,
    )
    return EXIT_OK


@app.command("review-user")
@reported
def review_user(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file of people; made if it is not there.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the record will have it.")],
    role: Annotated[PageRole, typer.Option(help="What they may do.")],
    as_json: Json = False,
) -> int:
    """Let a person sign in to the review page; the password is asked for, or read from stdin."""
    from pipeline.review.page.people import Role, set_person

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    new = set_person(file, name, Role(role.value), password)
    if as_json:
        emit({"file": str(file), "name": name, "role": role.value, "new": new})
    else:
        say(
            f"{name} may sign in as {role.value}."
            if new
            else f"{name} is {role.value} now, with this password."
        )
    return EXIT_OK


@app.command()
@reported
def demo(
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the demo's files are written.")
    ] = Path("demo"),
    as_json: Json = False,
) -> int:
    """Index real works, screen a real drop, and say what was found and what was not."""
    from rich.console import Console

    from pipeline.demo import run_demo

    result = run_demo(folder, Console(quiet=as_json))
    if as_json:
        emit(result)
    return EXIT_OK


def main() -> None:
    """The entry point of the command `clearance`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: what is printed goes nowhere
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif str(stream.encoding).lower() != "utf-8":
            # A terminal that can't show a character gets an escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        status = EXIT_BROKEN_PIPE
    except OSError as error:
        typer.echo(f"clearance: the output can't be written ({error.strerror}).", err=True)
        status = EXIT_WRONG
    if status in (EXIT_BROKEN_PIPE, EXIT_WRONG):
        # Or the interpreter would try to flush what can't be written, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)


def _run() -> int:
    try:
        return int(app(standalone_mode=False) or EXIT_OK)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except CommandLineError as error:
        # What typer's own validation puts before the sentence says nothing to a reader.
        error.message = error.message.replace("Value error, ", "")
        if "--json" in sys.argv[1:]:
            emit({"error": error.format_message(), "problems": []})
        else:
            error.show()
        return EXIT_WRONG
    except OSError:
        raise
    except Exception:
        # Python itself would exit with 1, which says something else here.
        traceback.print_exc()
        return EXIT_DEFECT
