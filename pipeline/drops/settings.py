"""How places in object storage are read and written."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config_file import Section


class ObjectStorage(Section):
    """How places in object storage (s3://) are read and written; nothing of it changes a result.

    Attributes:
        attempts: how often a call is tried that is throttled or loses its connection.
        timeout_seconds: without an answer, or without a further byte of one.
        spool_bytes: bytes of fetched objects that may lie in the temporary folder at a time; an
            object larger than that lies there alone.
    """

    attempts: int = Field(default=6, ge=1, le=20)
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    spool_bytes: int = Field(default=4 * 2**30, ge=1)
