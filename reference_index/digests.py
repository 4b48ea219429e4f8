"""Digests of the data in an index, independent of how and in which order they were stored.

All are SHA-256, in hex. A value is hashed in one canonical form (type, length, bytes), so a batch,
a slice of a larger table and the same rows read back from the disk have the same digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from reference_index.canonical_json import json_digest
from reference_index.interface import FingerprintSpec, Work, WorkFile

if TYPE_CHECKING:
    from hashlib import _Hash


def type_name(kind: pa.DataType) -> str:
    """A name for an Arrow type that does not depend on the release of pyarrow.

    Raises:
        ValueError: for a type that can't be stored in an index.
    """
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_signed_integer(kind):
        return f"int{kind.bit_width}"
    if pa.types.is_unsigned_integer(kind):
        return f"uint{kind.bit_width}"
    if pa.types.is_floating(kind):
        return f"float{kind.bit_width}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "bytes"
    if pa.types.is_fixed_size_binary(kind):
        return f"bytes[{kind.byte_width}]"
    if pa.types.is_fixed_size_list(kind):
        return f"list[{type_name(kind.value_type)},{kind.list_size}]"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list[{type_name(kind.value_type)}]"
    if pa.types.is_struct(kind):
        return f"struct[{','.join(f'{f.name}:{type_name(f.type)}' for f in kind)}]"
    raise ValueError(f"values of the type {kind} can't be stored in an index")


def schema_digest(schema: pa.Schema) -> str:
    """Digest of the names and types of the fields, in order."""
    return json_digest([[field.name, type_name(field.type)] for field in schema])


def rows_digest(rows: pa.RecordBatch | pa.Table) -> str:
    """Digest of the rows of a stage, in order.

    Raises:
        ValueError: if a value is null, or of a type that can't be stored in an index.
    """
    digest = hashlib.sha256()
    digest.update(f"rows {rows.num_rows}\n".encode())
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        digest.update(f"{json.dumps(name)} {type_name(values.type)}\n".encode())
        _feed(digest, values)
    return digest.hexdigest()


def _feed(digest: _Hash, values: pa.Array) -> None:
    """Adds the values of an array. Arrow's buffers can't be hashed directly: padding, offset and
    validity bits differ between equal arrays."""
    if values.null_count:
        raise ValueError("a null value can't be stored in an index")
    kind = values.type
    digest.update(len(values).to_bytes(8, "little"))
    if len(values) == 0:
        return
    if pa.types.is_boolean(kind):
        digest.update(values.to_numpy(zero_copy_only=False).tobytes())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=True)).data)
    elif pa.types.is_fixed_size_binary(kind):
        start, width = values.offset * kind.byte_width, len(values) * kind.byte_width
        digest.update(memoryview(values.buffers()[1])[start : start + width])
    elif pa.types.is_fixed_size_list(kind):
        _feed(digest, values.flatten())
    elif pa.types.is_struct(kind):
        for inner in values.flatten():
            _feed(digest, inner)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = values.offsets.to_numpy().astype(np.int64)
        digest.update(np.diff(offsets).data)
        _feed(digest, values.flatten())
    else:
        _feed_text(digest, values)


def _feed_text(digest: _Hash, values: pa.Array) -> None:
    wide = pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type)
    _, offsets_buffer, data = values.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64 if wide else np.int32)
    offsets = offsets[values.offset : values.offset + len(values) + 1].astype(np.int64)
    digest.update(np.diff(offsets).data)
    if data is not None:
        digest.update(memoryview(data)[offsets[0] : offsets[-1]])


def file_key(file: WorkFile) -> str:
    """Key of a file in every table: 128 bits of the digest of work id, path and SHA-256."""
    return json_digest([file.work_id, file.path, file.file_id])[:32]


def work_key(work_id: str) -> str:
    """Key of a work in its table: hex digits, which need no escaping in a predicate."""
    return file_key(WorkFile(work_id, "", "", "", "", 0))


def content_digest(thumbnail: bytes | None, text: str | None) -> str:
    """Digest of the stored thumbnail and text of a file; blank if there is neither."""
    if thumbnail is None and text is None:
        return ""
    digest = hashlib.sha256()
    for part in (thumbnail, None if text is None else text.encode()):
        digest.update(b"-" if part is None else f"{len(part)}:".encode())
        digest.update(part or b"")
    return digest.hexdigest()


def file_digest(file: WorkFile, content: str, stages: Mapping[str, str]) -> str:
    """Digest of a file: its record and the digests of its content and of its rows by stage."""
    return json_digest(
        [
            [file.work_id, file.path, file.file_id, file.kind, file.format, file.size, file.note],
            content,
            dict(stages),
        ]
    )


def work_digest(work: Work) -> str:
    """Digest of a work's details."""
    return json_digest([work.work_id, work.title, work.rightsholder, work.rights, dict(work.notes)])


def index_digest(
    specs: Mapping[str, FingerprintSpec],
    schemas: Mapping[str, str],
    works: Iterable[str],
    files: Iterable[str],
    aliases: Mapping[str, str],
) -> str:
    """Digest of an index, from the sorted digests of its parts and its works' former ids.

    Two indexes have the same digest if they have the same fingerprint specs and hold the same
    works with the same former ids, regardless of the order in which works were added and of works
    removed since.
    """
    parts: list[Any] = [
        "clearance index 1",
        {name: spec.digest() for name, spec in specs.items()},
        dict(schemas),
        sorted(works),
        sorted(files),
    ]
    # Only if there are any: an index without them has the digest that it had in earlier releases.
    return json_digest([*parts, dict(aliases)] if aliases else parts)
