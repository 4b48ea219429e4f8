"""Maps exceptions to messages, log lines and exit statuses: `@handle_exceptions` on each command.

| exception | message | exit status |
| --- | --- | --- |
| `ScreeningError` | its own | 2 |
| `UnicodeError` | a path is not UTF-8 | 2 |
| `OSError` | the system's, with the file | 2 |
| `Interrupted` (a scan) | that the next scan resumes | 130 or 143 |
| `KeyboardInterrupt` | that nothing is half written | 130 |
| any other | a traceback; with `--log-json` a log line | 70 |

`pipeline.cli.main` handles what happens outside commands: a wrong command line, a closed pipe.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

from pipeline.cli.exit_statuses import (
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    error_exit_status,
)
from pipeline.cli.output import print_error

if TYPE_CHECKING:
    from pipeline.runtime.json_log import JsonLog

CommandLineError: Any = typer.BadParameter.__mro__[2]
"""click's ClickException, wherever this release of typer has click from."""

P = ParamSpec("P")
_LOG: ContextVar[JsonLog | None] = ContextVar("log", default=None)


def current_log() -> JsonLog | None:
    """The log of the running command with --log-json, else None."""
    return _LOG.get()


def handle_exceptions(command: Callable[P, int | None]) -> Callable[P, None]:
    """Wraps a command: its return value, or the exception that it raises, becomes `typer.Exit`.

    It also opens the log of --log-json, and refuses s3:// URLs for arguments that take a path.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        with ExitStack() as stack:
            if kwargs.get("_log_json"):
                from pipeline.runtime.json_log import json_log

                log = stack.enter_context(json_log())
                stack.callback(_LOG.reset, _LOG.set(log))

            def call() -> int | None:
                from pipeline.drops.places import refuse_url

                for value in kwargs.values():
                    if isinstance(value, Path):
                        refuse_url(value)
                return command(*args, **kwargs)

            status = _exit_status(command.__name__, call, as_json)
        raise typer.Exit(status)

    return run


def _exit_status(name: str, call: Callable[[], int | None], as_json: bool) -> int:
    from pipeline.core.errors import ScreeningError
    from pipeline.runtime.signals import Interrupted

    log = _LOG.get()

    def fail(message: str, error: BaseException, status: int) -> int:
        if log is not None:
            _log_failure(log, name, error, status)
        # With --log-json only the log goes to standard error, and a message may name an asset.
        print_error(message, getattr(error, "problems", ()), as_json, err=log is None)
        return status

    try:
        return call() or EXIT_OK
    except ScreeningError as error:
        return fail(str(error), error, error_exit_status(error))
    except BrokenPipeError:
        # Without an errno, by which typer would exit with 1, which is `EXIT_FAIL_ON` here.
        raise BrokenPipeError from None
    except UnicodeError as error:
        return fail(
            "A path has bytes that are not UTF-8, which the index's tables can't have in "
            "their names; choose another path.",
            error,
            error_exit_status(error),
        )
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{file}; nothing more was done."
        return fail(message, error, error_exit_status(error))
    except Interrupted as error:
        return fail(
            "Interrupted; the next scan resumes where this one stopped.", error, error.status
        )
    except KeyboardInterrupt as error:
        return fail("Interrupted; earlier results are unchanged.", error, EXIT_INTERRUPTED)
    except Exception as error:
        if log is None or isinstance(error, (CommandLineError, typer.Exit, typer.Abort)):
            raise
        _log_failure(log, name, error, EXIT_DEFECT)
        return EXIT_DEFECT


def _log_failure(log: JsonLog, command: str, error: BaseException, status: int) -> None:
    from pipeline.runtime.failures import code_location, failure_in_words, loggable_message

    if isinstance(error, KeyboardInterrupt):
        log.event(f"{command}_interrupted", exit_status=status)
        return
    facts: dict[str, Any] = {"error": type(error).__name__, "why": failure_in_words(error)}
    if status == EXIT_DEFECT:
        facts["where"] = code_location(error)
    message = loggable_message(error)
    if message is not None:
        facts["message"] = message
    log.event(f"{command}_failed", exit_status=status, **facts)
