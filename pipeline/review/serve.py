"""What `clearance review` does: opens a run and its record, and serves the page."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pipeline.core.errors import RecordError, ScreeningError
from pipeline.core.layout import LATEST, RUN
from pipeline.core.records import Band
from pipeline.drops.places import Place, place
from pipeline.results.files import read_run

PORT = 8417
"""The port that is tried first where none was given."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `clearance review`.

    Attributes:
        out: a folder of results, a scan directory, or s3://BUCKET/PREFIX.
        port: None for any that is free.
        host: the address to listen on.
        users: the file of people.
        record: the record's place, if it is not beside the results.
        second_person: bands that want a second person; None leaves what the record says.
        name: who sits at a page without a file of people.
        open_browser: whether to open one.
        allow_hosts: names that the page may be asked under, beside its address.
    """

    out: str
    port: int | None = None
    host: str = "127.0.0.1"
    users: Path | None = None
    record: str | None = None
    second_person: tuple[Band, ...] | None = None
    name: str | None = None
    open_browser: bool = True
    allow_hosts: Sequence[str] = ()


def results_of(out: str) -> Place:
    """Where the results lie: of a scan directory its latest, by its own name in the history."""
    found = place(out)
    if isinstance(found, Path):
        if not (found / RUN).is_file() and (found / LATEST / RUN).is_file():
            found = found / LATEST
        # Another scan points `latest` elsewhere; what this page shows stays this run.
        found = Path(os.path.realpath(found))
    return found


@dataclass(frozen=True, slots=True)
class Served:
    """A page that answers.

    Attributes:
        url: what to open; it holds the token, if there is one.
        port: where it listens.
        rows: of the run.
        run_id: of the run.
        name: who decides there; None if people sign in.
        users: the file of people who may sign in.
    """

    url: str
    port: int
    rows: int
    run_id: str
    name: str | None
    users: Path | None

    def sentences(self) -> list[str]:
        """For a terminal."""
        who = f"as {self.name}" if self.name is not None else f"for the people in {self.users}"
        return [
            f"The review page has {self.rows:,} rows of run {self.run_id}, {who}:",
            f"  {self.url}",
            "Ctrl-C ends it; decisions are on the disk as soon as they are given.",
        ]


def serve(options: ServeOptions, tell: Callable[[Served], None]) -> None:
    """Serves the review page until it is interrupted.

    Args:
        options: of the command.
        tell: called when the page listens.

    Raises:
        RecordError: if the record, the file of people, or the address can't be used, or the extra
            `review` is not installed.
        RunError: if the results can't be read.
    """
    try:
        import uvicorn

        from pipeline.decisions.events import person_name
        from pipeline.review.access.people import Person, Role, read_people
        from pipeline.review.access.sessions import Access
        from pipeline.review.app import create_app
        from pipeline.review.newer import NewerRun
        from pipeline.review.review_session import ReviewSession
        from pipeline.review.routes.item import warm
    except ImportError as error:
        raise RecordError(
            f"The review page needs {error.name}: pip install 'clearance[review]'."
        ) from error
    loopback = is_loopback(options.host)
    if not loopback and options.users is None:
        raise RecordError(
            f"On {options.host} others can reach the page, so it needs --users FILE; "
            "`clearance review-user FILE NAME --role reviewer` makes one."
        )
    if is_wildcard(options.host) and not options.allow_hosts:
        raise RecordError(
            f"On {options.host} the page does not know its own name: give --allow-host NAME, as "
            "browsers will ask for it."
        )
    results = results_of(options.out)
    stored = read_run(results)
    given = place(options.out)
    newer = (
        NewerRun(given, str(stored.run.get("run_id") or "?")) if isinstance(given, Path) else None
    )
    where: str | Path
    if options.record is not None:
        where = options.record
    elif isinstance(results, Path):
        where = results
    else:
        raise RecordError(
            f"{options.out} is object storage, which can't hold a record: give --record."
        )
    starter = person_name(options.name if options.name is not None else _login(), what="--as")
    review = ReviewSession(stored, where, second_person=options.second_person, starter=starter)
    if options.users is not None:
        read_people(options.users)
    with bound(options.host, options.port) as listening:
        port = int(listening.getsockname()[1])
        access = Access(
            local=None if options.users is not None else Person(starter, Role.APPROVER),
            people=options.users,
            hosts=hosts_of(options.host, port, options.allow_hosts),
            cookie=f"clearance_review_{port}",
        )
        url = address_of(options, port, access.token)
        app = create_app(review, access, newer)
        threading.Thread(target=_warmed, args=(lambda: warm(app),), daemon=True).start()
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # it would hold the token
            http="h11",  # it bounds what comes before a body, which another installed one may not
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        served = Served(
            url, port, len(review), str(stored.run.get("run_id", "")),
            starter if access.token is not None else None, options.users,
        )  # fmt: skip
        folders = tempfile.TemporaryDirectory(prefix="clearance-review-")
        keep()
        with suppress(KeyboardInterrupt), folders as folder:
            tell(served)
            if options.open_browser and _has_browser():
                threading.Timer(0.5, _open, (url, Path(folder))).start()
            uvicorn.Server(config).run(sockets=[listening])


def keep() -> None:
    """What is there now, the run and its queue, stays until the end: a collection that walks it
    all (0.2 s of 100,000 rows) would only keep somebody waiting.
    """
    gc.collect()
    gc.freeze()


def address_of(options: ServeOptions, port: int, token: str | None) -> str:
    """What to open: under the first name that was allowed, where the address itself is none."""
    shown = options.allow_hosts[0] if is_wildcard(options.host) else options.host
    shown = f"[{shown}]" if ":" in shown and is_address(shown) else shown
    base = f"http://{shown}/" if _has_port(shown) else f"http://{shown}:{port}/"
    return base if token is None else f"{base}enter?token={token}"


def hosts_of(host: str, port: int, allowed: Sequence[str]) -> frozenset[str]:
    """What a request may have as its Host."""
    names = [name.lower() for name in allowed]
    if is_loopback(host):
        names += ["127.0.0.1", "localhost", "[::1]"]
    if not is_wildcard(host):
        names.append(f"[{host}]" if ":" in host else host.lower())
    # Behind a proxy the name comes without this server's own port.
    bare = [name.lower() for name in allowed]
    return frozenset([f"{name}:{port}" for name in names if not _has_port(name)] + bare)


def _has_port(name: str) -> bool:
    return ":" in name and name.rpartition(":")[2].isdigit() and not is_address(name)


def is_address(host: str) -> bool:
    """Whether that is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether that is every address of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens.

    Raises:
        RecordError: if the address or the port can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [port] if port is not None else [PORT, 0]
    for number in tried:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen(128)  # whoever comes before the server is ready waits
        except (OSError, OverflowError) as error:
            listening.close()
            if number != tried[-1]:
                continue
            why = getattr(error, "strerror", None) or error
            raise RecordError(
                f"The page can't be served on {host} port {number} ({why}); name another --port."
            ) from error
        return listening
    raise AssertionError  # the loop returns or raises


def _warmed(warm: Callable[[], None]) -> None:
    """What can't be opened ahead is told on the item that needs it."""
    with suppress(ScreeningError, OSError):
        warm()


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise RecordError("Who is at the page is not known: give --as NAME.") from None


def _has_browser() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(url: str, folder: Path) -> None:
    """Opens a browser by a file that only its owner can read: arguments are seen by everybody."""
    file = folder / "open.html"
    line = f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(url)}">\n'
    try:
        file.write_text(line, encoding="utf-8")
        webbrowser.open(file.as_uri())
    except OSError:
        pass  # the address stands in the terminal
