"""The file of people who may sign in: names, roles, and argon2 hashes of passwords."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import RecordError
from pipeline.core.extras import needs_extra
from pipeline.decisions.texts import person_name, same_person
from reference_index.atomic_write import write_atomically

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1000


class Role(StrEnum):
    """What a person may do on the page; each role includes those before it."""

    READER = "reader"
    REVIEWER = "reviewer"
    APPROVER = "approver"

    def covers(self, least: Role) -> bool:
        """Whether this role is `least` or above it."""
        order = list(Role)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the page."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Account:
    """A person with the argon2 hash of their password."""

    person: Person
    password: str


def read_people(file: Path) -> dict[str, Account]:
    """The accounts in a file, by name.

    Raises:
        RecordError: if it can't be read, others may read it, or it is not what
            `clearance review-user` writes.
    """
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):  # reading a pipe would block
            raise RecordError(f"The file of people {file} is not a plain file.")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecordError(
            f"There is no file of people {file}; `clearance review-user {file} NAME --role "
            "reviewer` makes one."
        ) from None
    except (OSError, UnicodeError) as error:
        raise RecordError(f"The file of people {file} can't be read ({error}).") from error
    if os.name == "posix" and mode & 0o077:
        raise RecordError(f"Others can read the file of people {file}: chmod 600 it.")
    accounts: dict[str, Account] = {}
    try:
        for one in json.loads(text)["people"]:
            account = _account(one, accounts)
            accounts[account.person.name] = account
    except (ValueError, KeyError, TypeError, RecursionError, RecordError) as error:
        raise RecordError(
            f"{file} is not a file of people as `clearance review-user` writes it ({error})."
        ) from error
    return accounts


def _account(entry: Mapping[str, Any], others: Iterable[str]) -> Account:
    account = Account(Person(person_name(entry["name"]), Role(entry["role"])), entry["password"])
    if any(same_person(name, account.person.name) for name in others):
        raise ValueError(f"{account.person.name} is in it twice")
    if not str(account.password).startswith("$argon2"):
        raise ValueError(f"{account.person.name} has no argon2 hash")
    return account


def set_person(file: Path, name: str, role: Role, password: str) -> bool:
    """Adds a person to the file, or changes the role and password of one in it.

    Returns:
        Whether the person is new.

    Raises:
        RecordError: if the name or the password can't be used, or the file can't.
    """
    name = person_name(name)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise RecordError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    accounts = read_people(file) if file.exists() else {}
    others = {one: account for one, account in accounts.items() if not same_person(one, name)}
    others[name] = Account(Person(name, role), hasher().hash(password))
    _write(file, others)
    return len(others) > len(accounts)


def _write(file: Path, accounts: Mapping[str, Account]) -> None:
    people: list[dict[str, Any]] = [
        {"name": one.person.name, "role": str(one.person.role), "password": one.password}
        for one in accounts.values()
    ]
    text = json.dumps({"people": people}, indent=1, ensure_ascii=False) + "\n"
    try:
        write_atomically(file, text.encode(), mode=0o600)
    except OSError as error:
        raise RecordError(
            f"The file of people {file} can't be written ({error.strerror})."
        ) from error


@cache
def hasher() -> PasswordHasher:
    """argon2id with the library's own parameters (RFC 9106, low memory).

    Raises:
        RecordError: if argon2 is not installed.
    """
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise RecordError(needs_extra("A password", "review", "argon2-cffi")) from error
    return PasswordHasher()


def verify_password(account: Account | None, password: str) -> bool:
    """Whether the password is that of the account.

    It takes as long without an account, so that timing does not reveal which names exist.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    stored = account.password if account is not None else _dummy_hash()
    try:
        hasher().verify(stored, password[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    return account is not None and len(password) <= LONGEST_PASSWORD


def prepare() -> None:
    """Computes the dummy hash for names without an account, so that the first takes no longer.

    Raises:
        RecordError: if argon2 is not installed.
    """
    _dummy_hash()


@cache
def _dummy_hash() -> str:
    return hasher().hash(secrets.token_hex(16))
