"""`clearance review`: opens a run and its record, and serves the review page."""

from __future__ import annotations

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

from pipeline.core.errors import RecordError
from pipeline.core.extras import needs_extra
from pipeline.core.records import Band
from pipeline.core.wording.text import count

PORT = 8417
"""The port that is tried first by default."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of `clearance review`.

    Attributes:
        out: a folder of results, a scan directory, or s3://BUCKET/PREFIX.
        port: None for 8417, or any free port.
        host: the address to listen on.
        users: the file of people.
        record: the record's place, if it is not next to the results.
        second_person: bands whose rows two people decide on; None keeps the record's rules.
        name: who decides, on a page without a file of people.
        open_browser: whether to open a browser.
        allow_hosts: host names that the page answers to besides its address.
        reasons: the file of reason templates.
        filters: the file of saved filters, if it is not beside the record.
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
    reasons: Path | None = None
    filters: Path | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A review page that is being served.

    Attributes:
        url: the address to open, with the token if there is one.
        port: the port it listens on.
        rows: how many rows the run has.
        run_id: of the run.
        name: who decides; None if people sign in.
        users: the file of people who may sign in.
    """

    url: str
    port: int
    rows: int
    run_id: str
    name: str | None
    users: Path | None

    def sentences(self) -> list[str]:
        """Sentences for the terminal."""
        user = f"as {self.name}" if self.name is not None else f"for the people in {self.users}"
        return [
            f"The review page has {count(self.rows, 'row')} of run {self.run_id}, {user}:",
            f"  {self.url}",
            "Press Ctrl-C to stop it; each decision is saved at once.",
        ]


def serve(options: ServeOptions, on_ready: Callable[[Served], None]) -> None:
    """Serves the review page until it is interrupted.

    Args:
        options: of the command.
        on_ready: called when the page listens.

    Raises:
        RecordError: if the record, the file of people, or the address can't be used, or the extra
            `review` is not installed.
        RunError: if the results can't be read.
        ConfigError: if the file of reason templates can't be used.
    """
    try:
        import uvicorn

        from pipeline.decisions.texts import person_name
        from pipeline.review.access.people import Person, Role, read_people
        from pipeline.review.access.sessions import Access
        from pipeline.review.app import create_app
        from pipeline.review.opening import RunPlace
        from pipeline.review.reason_templates import read_reasons
        from pipeline.review.saved_filters import SavedFilters
    except ImportError as error:
        raise RecordError(needs_extra("The review page", "review", error.name)) from error
    loopback = is_loopback(options.host)
    if not loopback and options.users is None:
        raise RecordError(
            f"On {options.host} others can reach the page, so it needs --users FILE; "
            "`clearance review-user FILE NAME --role reviewer` makes one."
        )
    if is_wildcard(options.host) and not options.allow_hosts:
        raise RecordError(
            f"On {options.host} the page does not know its own name: give --allow-host NAME, the "
            "name in its address in a browser."
        )
    reasons = read_reasons(options.reasons)
    starter = person_name(options.name if options.name is not None else _login(), what="--as")
    run = RunPlace(options.out, options.record, options.second_person, starter)
    review, newer = run.opened()
    saved = SavedFilters(options.filters or review.filters_file)
    if options.users is not None:
        read_people(options.users)
    with listening_socket(options.host, options.port) as listening:
        port = int(listening.getsockname()[1])
        access = Access(
            local=None if options.users is not None else Person(starter, Role.APPROVER),
            people=options.users,
            hosts=hosts_of(options.host, port, options.allow_hosts),
            cookie=f"clearance_review_{port}",
        )
        url = address_of(options, port, access.token)
        app = create_app(
            review,
            access,
            newer,
            reopen=lambda: run.opened(again=True),
            reasons=reasons,
            saved_filters=saved,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # it would log the token
            http="h11",  # it bounds the request head; another installed server may not
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        served = Served(
            url, port, len(review), str(review.stored.run.get("run_id", "")),
            starter if access.token is not None else None, options.users,
        )  # fmt: skip
        folders = tempfile.TemporaryDirectory(prefix="clearance-review-")
        with suppress(KeyboardInterrupt), folders as folder:
            on_ready(served)
            if options.open_browser and has_browser():
                threading.Timer(0.5, _open, (url, Path(folder))).start()
            uvicorn.Server(config).run(sockets=[listening])


def address_of(options: ServeOptions, port: int, token: str | None) -> str:
    """The address to open, by the first allowed host name if the page listens on all addresses."""
    host = options.allow_hosts[0] if is_wildcard(options.host) else options.host
    host = f"[{host}]" if ":" in host and is_address(host) else host
    base = f"http://{host}/" if _has_port(host) else f"http://{host}:{port}/"
    return base if token is None else f"{base}enter?token={token}"


def hosts_of(host: str, port: int, allowed: Sequence[str]) -> frozenset[str]:
    """Allowed values of a request's Host header."""
    names = [name.lower() for name in allowed]
    if is_loopback(host):
        names += ["127.0.0.1", "localhost", "[::1]"]
    if not is_wildcard(host):
        names.append(f"[{host}]" if ":" in host else host.lower())
    # Behind a proxy the Host header lacks this server's port.
    bare = [name.lower() for name in allowed]
    return frozenset([f"{name}:{port}" for name in names if not _has_port(name)] + bare)


def _has_port(name: str) -> bool:
    return ":" in name and name.rpartition(":")[2].isdigit() and not is_address(name)


def is_address(host: str) -> bool:
    """Whether it is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """Whether it stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def listening_socket(host: str, port: int | None) -> socket.socket:
    """A socket that listens; on `PORT` or any free port if none is given.

    Raises:
        RecordError: if the address or the port can't be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else [PORT, 0]
    for number in ports:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, number))
            listening.listen(128)  # connections before the server is ready wait
        except (OSError, OverflowError) as error:
            listening.close()
            if number != ports[-1]:
                continue
            why = getattr(error, "strerror", None) or error
            raise RecordError(
                f"The page can't be served on {host} port {number} ({why}); name another --port."
            ) from error
        return listening
    raise AssertionError  # the loop returns or raises


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise RecordError("It is not known who uses the page: give --as NAME.") from None


def has_browser() -> bool:
    """Whether this machine has a screen on which a browser could be opened."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(url: str, folder: Path) -> None:
    """Opens a browser on a file that only its owner can read: all users see arguments."""
    file = folder / "open.html"
    line = f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(url)}">\n'
    try:
        file.write_text(line, encoding="utf-8")
        webbrowser.open(file.as_uri())
    except OSError:
        pass  # the address is printed in the terminal
