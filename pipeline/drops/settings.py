"""Settings of object storage: the section `object_storage` of a configuration."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config_file import Section


class ObjectStorage(Section):
    """How places in object storage (s3://) are read and written. It does not affect results.

    Attributes:
        attempts: of a call that is throttled or loses its connection.
        timeout_seconds: until a response begins, and between two pieces of it.
        spool_bytes: of fetched objects in the temporary folder at a time; an object larger than
            that is fetched when the folder is empty.
    """

    attempts: int = Field(default=6, ge=1, le=20)
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    spool_bytes: int = Field(default=4 * 2**30, ge=1)
