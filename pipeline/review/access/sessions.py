"""Sign-in and sessions: a token in the first URL or a password becomes a session cookie."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import RecordError
from pipeline.decisions.texts import folded_name, same_person
from pipeline.review.access.people import (
    Account,
    Person,
    Role,
    prepare,
    read_people,
    verify_password,
)

__all__ = ["Access", "Person", "Role", "Session", "TooManyTriesError"]

SESSION_SECONDS = 12 * 3600
TRIES = 5
TRY_WINDOW_SECONDS = 60
MAX_SESSIONS = 10_000
MAX_WAITING = 8
"""Most sign-ins that may wait for their password to be hashed; each blocks a server thread."""


class TooManyTriesError(RecordError):
    """Too many wrong passwords from one address, or too many sign-ins at once."""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser.

    Attributes:
        person: who signed in.
        csrf: the CSRF token, which each writing request must carry.
        until: when the session ends, seconds of the monotonic clock.
        password: the password hash at sign-in; another one in the file ends the session.
    """

    person: Person
    csrf: str
    until: float
    password: str = ""


class Access:
    """The sessions of one server, held only in memory, so that they end with it.

    Args:
        local: the one person of a page on loopback without a file of people.
        people: the file of people. It is read again when it changes; people who were removed, or
            have another role or password, are signed out.
        hosts: allowed values of the Host header, with port, in lower case.
        cookie: the cookie's name, with the port, since all ports of a host share cookies.
        clock: a monotonic clock, seconds.

    Raises:
        RecordError: if the file of people can't be used.
    """

    def __init__(
        self,
        *,
        local: Person | None = None,
        people: Path | None = None,
        hosts: frozenset[str] = frozenset(),
        cookie: str = "clearance_review",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (local is None) == (people is None):
            raise ValueError("either one local person or a file of people")
        self.local = local
        self.hosts = hosts
        self.cookie = cookie
        self.token = secrets.token_urlsafe(32) if local is not None else None
        self._file = people
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[tuple[str, str], list[float]] = {}
        self._hashing = threading.BoundedSemaphore(2)  # each takes 64 MiB and a core
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._read: tuple[tuple[int, ...], dict[str, Account]] | None = None
        if people is not None:
            read_people(people)
            prepare()

    @property
    def passwords(self) -> bool:
        """Whether people sign in with a password."""
        return self._file is not None

    def by_token(self, token: str) -> str | None:
        """The cookie of a new session, if the token is that of the first URL; otherwise None."""
        if self.token is None or self.local is None:
            return None
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        return self._begin(self.local, float("inf"), "")

    def by_password(self, name: str, password: str, address: str = "") -> str | None:
        """The cookie of a new session, if name and password are right; otherwise None.

        Raises:
            TooManyTriesError: after `TRIES` wrong passwords for a name, in any spelling, from an
                address within `TRY_WINDOW_SECONDS`; or while too many others sign in.
            RecordError: if the file of people can't be read any more.
        """
        key = (address, folded_name(name)[:200])
        with self._lock:
            recent = [t for t in self._wrong.get(key, []) if self._clock() - t < TRY_WINDOW_SECONDS]
            # Counted before the password is verified, so that concurrent tries all count.
            self._wrong[key] = [*recent, self._clock()]
            if len(self._wrong) > MAX_SESSIONS:
                self._wrong = {key: self._wrong[key]}
            if len(recent) >= TRIES:
                self._wrong[key] = recent
                raise TooManyTriesError(
                    f"Too many wrong passwords; wait {TRY_WINDOW_SECONDS} seconds and try again."
                )
        account = self._account(name)
        if not self._waiting.acquire(blocking=False):
            raise TooManyTriesError("Too many people are signing in just now; try again.")
        try:
            with self._hashing:
                if not verify_password(account, password):
                    return None
        finally:
            self._waiting.release()
        assert account is not None  # noqa: S101 - proved
        with self._lock:
            self._wrong.pop(key, None)
        return self._begin(account.person, self._clock() + SESSION_SECONDS, account.password)

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None if there is none, or it ended."""
        if not cookie:
            return None
        with self._lock:
            session = self._sessions.get(cookie)
        if session is None:
            return None
        if session.until < self._clock():
            self.end(cookie)
            return None
        if self._file is not None:
            account = self._account(session.person.name)
            if (
                account is None
                or account.person != session.person
                or account.password != session.password
            ):
                self.end(cookie)
                return None
        return session

    def end(self, cookie: str | None) -> None:
        """Signs a browser out."""
        with self._lock:
            self._sessions.pop(cookie or "", None)

    def names(self) -> list[str]:
        """Names to which items can be assigned, as suggestions."""
        if self._file is not None:
            return sorted(self._accounts())
        return [self.local.name] if self.local is not None else []

    def _begin(self, person: Person, until: float, password: str) -> str:
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._sessions = {k: one for k, one in self._sessions.items() if one.until >= now}
            while len(self._sessions) >= MAX_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[cookie] = Session(person, secrets.token_urlsafe(32), until, password)
        return cookie

    def _account(self, name: str) -> Account | None:
        for known, account in self._accounts().items():
            if same_person(known, name):
                return account
        return None

    def _accounts(self) -> dict[str, Account]:
        assert self._file is not None  # noqa: S101 - only asked where there is a file
        try:
            status = self._file.stat()
        except OSError as error:
            raise RecordError(
                f"The file of people can't be read ({error.strerror}); nobody is let in."
            ) from error
        version = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        with self._lock:
            if self._read is not None and self._read[0] == version:
                return self._read[1]
        accounts = read_people(self._file)
        with self._lock:
            self._read = (version, accounts)
        return accounts
