"""Signed checkpoints: the record's length and last hash at a time, to be stored elsewhere.

A hash chain shows that no event in it was changed. It does not show that its end was cut off, or
that all of it was rewritten, hashes included. A signature over its last hash does, if it is stored
where those who can change the record can't change it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.core.errors import RecordError
from pipeline.core.extras import needs_extra
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.event_log import now
from pipeline.decisions.hash_chain import GENESIS_HASH
from reference_index.atomic_write import new_file

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
except ModuleNotFoundError as error:
    raise RecordError(needs_extra("Signing checkpoints", "review", "cryptography")) from error

_SIGNATURE_CONTEXT = b"clearance checkpoint 1\n"
"""Prefix of what is signed (domain separation): no signature for another purpose can be reused."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of how long the record was and what its last hash was.

    Attributes:
        number: number of the checkpoint in its file, from 1.
        record: the record's id.
        seq: place of the last event, which is also the number of events.
        hash: hash of that event.
        time: when it was signed, UTC.
        key: SHA-256 (hex) of the public key.
        previous: SHA-256 (hex) of the line before it in the file; zeros for the first.
        signature: Ed25519 (RFC 8032), hex.
    """

    number: int
    record: str
    seq: int
    hash: str
    time: str
    key: str
    previous: str
    signature: str = ""

    def statement(self) -> dict[str, Any]:
        """The signed values, as JSON values."""
        return {
            "number": self.number,
            "record": self.record,
            "seq": self.seq,
            "count": self.seq,
            "hash": self.hash,
            "time": self.time,
            "key": self.key,
            "previous": self.previous,
        }

    def line(self) -> bytes:
        """The checkpoint as a line of its file, without the line feed."""
        return canonical_bytes({"statement": self.statement(), "signature": self.signature})

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Back from `line`.

        Raises:
            ValueError: if these are not exactly the bytes of a checkpoint.
        """
        value = parse_canonical(line)
        try:
            fields = {name: one for name, one in value["statement"].items() if name != "count"}
            checkpoint = cls(**fields, signature=value["signature"])
            exact = checkpoint.line() == line and len(bytes.fromhex(checkpoint.signature)) == 64
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no checkpoint ({error})") from error
        if not exact:
            raise ValueError("no checkpoint")
        return checkpoint


def make_key(file: Path) -> Path:
    """Makes a signing key: `file` with mode 0600, and next to it the public key, `file`.pub.

    Raises:
        RecordError: if either exists already, or can't be written.
    """
    public = public_file(file)
    key = Ed25519PrivateKey.generate()
    private_bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public_bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if public.exists():
        raise RecordError(f"{public} is there already, and no key is ever overwritten.")
    for path, data, mode in ((file, private_bytes, 0o600), (public, public_bytes, 0o644)):
        try:
            with new_file(path, mode=mode) as out:
                out.write(data)
        except FileExistsError:
            raise RecordError(f"{path} is there already, and no key is ever overwritten.") from None
        except OSError as error:
            raise RecordError(f"{path} can't be written ({error.strerror}).") from error
    return public


def public_file(file: Path) -> Path:
    """The file of the public key of a signing key."""
    return file.with_name(f"{file.name}.pub")


def signing_key(file: Path) -> Ed25519PrivateKey:
    """The signing key in a file.

    Raises:
        RecordError: if it can't be read, is no Ed25519 key, or others may read it.
    """
    try:
        mode, data = file.stat().st_mode, file.read_bytes()
    except OSError as error:
        raise RecordError(f"The key {file} can't be read ({error.strerror}).") from error
    if stat.S_IMODE(mode) & 0o077:
        raise RecordError(
            f"Others than its owner may read the key {file}, so it proves nothing: chmod 600 it if "
            "none of them did, and make a new one if they may have."
        )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise RecordError(f"{file} holds no signing key of clearance audit key.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RecordError(f"{file} holds a key of another kind than Ed25519.")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """The public key in a file.

    Raises:
        RecordError: if it can't be read or is no Ed25519 key.
    """
    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise RecordError(f"The public key {file} can't be read ({error.strerror}).") from error
    except (ValueError, TypeError) as error:
        raise RecordError(f"{file} holds no public key.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise RecordError(f"{file} holds a key of another kind than Ed25519.")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 (hex) of the key's 32 bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def add_checkpoint(
    file: Path, record: str, seq: int, head: str, key: Ed25519PrivateKey
) -> Checkpoint:
    """Signs the record's end and appends the checkpoint to the file, which is created if missing.

    Args:
        file: of checkpoints.
        record: the record's id.
        seq, head: place and hash of its last event; the record was just verified.
        key: to sign with.

    Raises:
        RecordError: if the file can't be written, or what it holds is damaged.
    """
    try:
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RecordError(f"Checkpoints can't be written to {file} ({error.strerror}).") from error
    with os.fdopen(opened, "r+b", buffering=0) as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        lines, earlier, faults = read_lines(out.read() or b"")
        if faults:
            raise RecordError(f"{file} is damaged: {faults[0]} Restore it from a copy.")
        unsigned = Checkpoint(
            len(earlier) + 1,
            record,
            seq,
            head,
            now(),
            fingerprint(key.public_key()),
            hashlib.sha256(lines[-1]).hexdigest() if lines else GENESIS_HASH,
        )
        signed = key.sign(_SIGNATURE_CONTEXT + canonical_bytes(unsigned.statement()))
        checkpoint = Checkpoint(**{**_fields(unsigned), "signature": signed.hex()})
        line = checkpoint.line() + b"\n"
        try:
            complete = out.write(line) == len(line)
            os.fsync(out.fileno())
        except OSError as error:
            raise RecordError(f"{file} can't be written ({error.strerror}).") from error
        if not complete:
            raise RecordError(f"{file} could be written only in part; remove its last line.")
    return checkpoint


def _fields(checkpoint: Checkpoint) -> dict[str, Any]:
    return {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}


def read_lines(data: bytes) -> tuple[list[bytes], list[Checkpoint], list[str]]:
    """The lines of a file of checkpoints, the checkpoints, and sentences on faults of the file.

    Signatures are not verified here; see `signature_faults`.
    """
    if not data:
        return [], [], []
    if not data.endswith(b"\n"):
        return [], [], ["The last line is cut off."]
    lines = data[:-1].split(b"\n")
    checkpoints: list[Checkpoint] = []
    previous = GENESIS_HASH
    for number, line in enumerate(lines, start=1):
        try:
            one = Checkpoint.of_line(line)
        except ValueError as error:
            return lines, checkpoints, [f"Line {number} was altered: it is {error}."]
        if one.number != number or one.previous != previous:
            return lines, checkpoints, [f"Line {number} does not follow from the one before it."]
        previous = hashlib.sha256(line).hexdigest()
        checkpoints.append(one)
    return lines, checkpoints, []


def signature_faults(
    checkpoints: Sequence[Checkpoint], keys: Sequence[Ed25519PublicKey]
) -> list[str]:
    """Sentences on checkpoints that none of the keys signed."""
    by_name = {fingerprint(key): key for key in keys}
    faults = []
    for one in checkpoints:
        key = by_name.get(one.key)
        if key is None:
            faults.append(
                f"Checkpoint {one.number} is signed with another key ({one.key[:16]}…); give its "
                "public key too if you trust it."
            )
            continue
        try:
            key.verify(
                bytes.fromhex(one.signature), _SIGNATURE_CONTEXT + canonical_bytes(one.statement())
            )
        except InvalidSignature:
            faults.append(f"The signature of checkpoint {one.number} is not that of its key.")
    return faults
