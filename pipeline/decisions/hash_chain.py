"""The hash chain of the record: each event's hash covers its body and the hash before it.

    hash[n] = SHA-256(hash[n-1] as 32 bytes, then body[n]);  hash[0] = GENESIS_HASH

So no event can be changed, removed or moved without changing every hash after it. What a chain does
not show is that its end was cut off, or that all of it was rewritten: see `checkpoints`.

The checks here compare one stored event with the one before it. Each raises AlteredError.
"""

from __future__ import annotations

import hashlib

GENESIS_HASH = "0" * 64
"""The `previous` of the first event (and of the first checkpoint)."""

_HEX_DIGITS = set("0123456789abcdef")


class AlteredError(Exception):
    """A stored event is not what was written: half a sentence says how."""


class NewerFormError(AlteredError):
    """A stored event is of a form of a newer version: it may be as it was written."""


def chain_hash(previous: str, body: bytes) -> str:
    """The hash of an event: SHA-256 (hex) of the hash before it (32 bytes), then its body.

    Raises:
        ValueError: if `previous` is not 64 hex digits.
    """
    return hashlib.sha256(bytes.fromhex(previous) + body).hexdigest()


def check_place(seq: object, place: int) -> None:
    """That an event's stored number is the next one.

    Raises:
        AlteredError: if events are missing before it, or its number is none that can follow.
    """
    if seq == place:
        return
    if isinstance(seq, int) and seq > place:
        raise AlteredError(f"was removed: the next one that is there is event {seq}")
    raise AlteredError("was altered: its place is not a number that follows")


def check_hash(previous: object, body: object, stored_hash: object) -> None:
    """That an event's stored hash is the hash of its body and of the hash before it.

    Raises:
        AlteredError: if it is not, or any of these is not of its type.
    """
    if not isinstance(body, bytes) or not _is_hash(previous) or not _is_hash(stored_hash):
        raise AlteredError("was altered: its body or a hash is not of its form")
    if chain_hash(str(previous), body) != stored_hash:
        raise AlteredError("was altered: its bytes do not give its hash")


def check_link(previous: str, expected: str) -> None:
    """That an event's `previous` is the hash of the event before it.

    Raises:
        AlteredError: if it is not.
    """
    if previous != expected:
        raise AlteredError("was altered or put in: it does not follow from the one before it")


def check_form(form: int, expected: int, *, upgrades: bool) -> int:
    """That an event is of the record's form, and that only an upgrade changes that form.

    Args:
        form: of the event.
        expected: of the event before it.
        upgrades: whether the event is an upgrade.

    Returns:
        The form of the record from this event on.

    Raises:
        AlteredError: if it is not.
    """
    if upgrades and expected == 1 and form == 2:
        return form
    if form != expected or upgrades:
        raise AlteredError(
            f"was altered or put in: it is of form {form}, and the record was at form {expected}"
        )
    return form


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= _HEX_DIGITS
