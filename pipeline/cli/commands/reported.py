"""How a command ends: what stopped it is told in one message, or in its log, and by its status."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

from pipeline.cli.commands.exit_statuses import (
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    error_exit_status,
)
from pipeline.cli.commands.output import complain

if TYPE_CHECKING:
    from pipeline.runtime.json_log import JsonLog

CommandLineError: Any = typer.BadParameter.__mro__[2]
"""click's ClickException, wherever this release of typer has click from."""

P = ParamSpec("P")
_LOG: ContextVar[JsonLog | None] = ContextVar("log", default=None)


def log_under_way() -> JsonLog | None:
    """The log of the command under way, with --log-json."""
    return _LOG.get()


def reported(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turns the errors that Clearance raises on purpose into one message and exit status 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        with ExitStack() as stack:
            if kwargs.get("_log_json"):
                from pipeline.runtime.json_log import json_log

                log = stack.enter_context(json_log())
                stack.callback(_LOG.reset, _LOG.set(log))

            def called() -> int | None:
                from pipeline.drops.places import refuse_url

                for value in kwargs.values():
                    if isinstance(value, Path):
                        refuse_url(value)
                return command(*args, **kwargs)

            status = _ended(command.__name__, called, as_json)
        raise typer.Exit(status)

    return run


def _ended(name: str, run: Callable[[], int | None], as_json: bool) -> int:
    """The exit status of a command; what stopped it is told."""
    from pipeline.core.errors import ScreeningError
    from pipeline.runtime.signals import Interrupted

    log = _LOG.get()

    def told(message: str, error: BaseException, status: int) -> int:
        if log is not None:
            _log_end(log, name, error, status)
        # The log is alone on standard error, and a message may name an asset.
        complain(message, getattr(error, "problems", ()), as_json, err=log is None)
        return status

    try:
        return run() or EXIT_OK
    except ScreeningError as error:
        return told(str(error), error, error_exit_status(error))
    except BrokenPipeError:
        raise
    except UnicodeError as error:
        return told(
            "A path holds bytes that are not UTF-8, which the index's tables can't have in "
            "their names; choose another path.",
            error,
            error_exit_status(error),
        )
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{where}; nothing more was done."
        return told(message, error, error_exit_status(error))
    except Interrupted as error:
        return told("Interrupted; the next scan goes on where this one was.", error, error.status)
    except KeyboardInterrupt as error:
        return told("Interrupted; whatever was there before is whole.", error, EXIT_INTERRUPTED)
    except Exception as error:
        if log is None or isinstance(error, (CommandLineError, typer.Exit, typer.Abort)):
            raise
        _log_end(log, name, error, EXIT_DEFECT)
        return EXIT_DEFECT


def _log_end(log: JsonLog, command: str, error: BaseException, status: int) -> None:
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
