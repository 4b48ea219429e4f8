"""Keeps the fingerprints of works until they are in the index.

An `add` that is refused for a bad row, interrupted or killed leaves what it has fingerprinted in
IDX/cache/fingerprinted, one file for each content, and the next `add` takes it from there. An `add`
that succeeds deletes the folder; deleting it at any time loses only the time. Nothing is pickled: a
file is an Arrow stream, after the SHA-256 of what follows.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from pipeline.core.environment import environment
from pipeline.core.wording.text import count
from pipeline.load.limits import Limits
from pipeline.stages import Stage
from reference_index.atomic_write import write_atomically
from reference_index.canonical_json import json_digest
from reference_index.registration_plan import ListedFile
from reference_index.store import ReferenceIndex

_SCHEMA = pa.schema([("part", pa.string()), ("data", pa.large_binary())])
_FACTS, _THUMBNAIL, _TEXT, _STAGE = "facts", "thumbnail", "text", "stage:"
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """What the content of a file gave, whatever work and path it has.

    Attributes:
        kind: `image` or `script`.
        format: such as `PNG`.
        note: what loading approximated, and why stages abstained; may be blank.
        rows: fingerprint rows by stage.
        thumbnail: JPEG of a picture, None if the index keeps no content.
        text: of a script, None if the index keeps no content.
    """

    kind: str
    format: str
    note: str
    rows: dict[str, pa.RecordBatch]
    thumbnail: bytes | None
    text: str | None


class KeptFingerprints:
    """The kept fingerprints of an index, by these stages, with these limits, by this code.

    Args:
        index: to which works are added.
        stages: of the index.
        limits: with which files are loaded.
    """

    def __init__(self, index: ReferenceIndex, stages: Sequence[Stage], limits: Limits) -> None:
        key = json_digest(
            {
                "specs": {stage.name: stage.spec.to_json() for stage in stages},
                "limits": limits.model_dump(mode="json"),
                "content": index.keep_content,
                "environment": environment(),
            }
        )
        self._index = index
        self._folder = _folder(index) / key[:32]
        self._count = 0
        self._full = False

    def get(self, file: ListedFile) -> Fingerprinted | None:
        """What was kept for this content; None if nothing, or it is damaged."""
        try:
            data = self._file(file).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
            return None
        self._count += 1
        return _unpacked(data[_DIGEST_BYTES:])

    def put(self, file: ListedFile, value: Fingerprinted) -> None:
        """Keeps what the content gave. Where it can't be written, no more is kept: the room on the
        disk is for the index.
        """
        if self._full:
            return
        data = _packed(value)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(file), hashlib.sha256(data).digest() + data, flush=False)
        except OSError:
            self._full, self._count = True, 0
            clear(self._index)
        else:
            self._count += 1

    def sentence(self) -> str:
        """What is kept now, for a message; blank if nothing."""
        if not self._count:
            return ""
        return (
            f" The fingerprints of {count(self._count, 'file')} are kept, so that the next "
            "`clearance index add` does not compute them again."
        )

    def _file(self, file: ListedFile) -> Path:
        # The suffix decides how text is read.
        suffix = PurePosixPath(file.row.file.name).suffix.lower()
        return self._folder / f"{file.file_id}-{hashlib.sha256(suffix.encode()).hexdigest()[:8]}"


def clear(index: ReferenceIndex) -> None:
    """Deletes all that was kept for an index."""
    shutil.rmtree(_folder(index), ignore_errors=True)


def _folder(index: ReferenceIndex) -> Path:
    return index.path / "cache" / "fingerprinted"


def _packed(value: Fingerprinted) -> bytes:
    facts = json.dumps([value.kind, value.format, value.note]).encode()
    parts = [(_FACTS, facts)]
    if value.thumbnail is not None:
        parts.append((_THUMBNAIL, value.thumbnail))
    if value.text is not None:
        parts.append((_TEXT, value.text.encode()))
    parts += [(f"{_STAGE}{name}", _batch_bytes(rows)) for name, rows in value.rows.items()]
    names, data = zip(*parts, strict=True)
    return _batch_bytes(pa.record_batch([list(names), list(data)], schema=_SCHEMA))


def _unpacked(data: bytes) -> Fingerprinted:
    [table] = pa.ipc.open_stream(data)
    parts = dict(zip(table["part"].to_pylist(), table["data"].to_pylist(), strict=True))
    kind, file_format, note = json.loads(parts[_FACTS])
    rows = {}
    for name, stored in parts.items():
        if name.startswith(_STAGE):
            [rows[name.removeprefix(_STAGE)]] = pa.ipc.open_stream(stored)
    text = parts.get(_TEXT)
    return Fingerprinted(
        kind,
        file_format,
        note,
        rows,
        parts.get(_THUMBNAIL),
        None if text is None else text.decode(),
    )


def _batch_bytes(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
