"""S3 client: list, fetch, read and upload objects, with retries and errors as sentences.

The only module that uses the network while screening, and only for a place written as an s3:// URL.
The client is that of s3fs, so that credentials and endpoints are found as for AWS and fsspec. Its
file system interface is not used, since it loses keys such as `a//b` or `a/` and caches listings.

Every call is retried (`Storage._with_retries`): exponential backoff with full jitter, and a circuit
breaker for outages. `storage_errors.transient` says which errors are retried.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.core.errors import DropError
from pipeline.core.extras import needs_extra
from pipeline.drops.storage_errors import StorageError, code_of, failure, is_local, transient

if TYPE_CHECKING:
    from pipeline.drops.settings import ObjectStorage

T = TypeVar("T")

CHUNK = 2**18
PART = 64 * 2**20
"""Bytes of one part of an upload; S3 allows 10,000 of them."""

BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 20.0
"""The pause before retry n is uniform between 0 and `BACKOFF_SECONDS` × 2ⁿ⁻¹, at most
`MAX_BACKOFF_SECONDS` ("full jitter"), so that many clients do not retry at the same moment."""

CIRCUIT_BREAKER_FAILURES = 32
"""Calls in a row that failed after all their attempts. From then on a call gets one attempt, until
one succeeds: an outage must not cost every object of a large drop all its pauses."""


class ChangedError(Exception):
    """The object has changed since it was listed."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, as listed.

    Attributes:
        key: the complete key.
        size: in bytes.
        etag: changes with the content; it is no digest of it if the upload was in parts.
        modified: time of the upload, in seconds since the epoch; None if the server omits it.
    """

    key: str
    size: int
    etag: str
    modified: float | None


class Storage:
    """A connection to object storage, opened on entering and closed on leaving.

    Raises:
        DropError: if the extra `cloud` is not installed, or the client can't be configured from
            the environment.
    """

    def __init__(self, settings: ObjectStorage) -> None:
        self._settings = settings
        self._failed_calls = 0

    def __enter__(self) -> Self:
        try:
            import s3fs
        except ImportError as error:
            raise DropError(needs_extra("A place in object storage (s3://)", "cloud")) from error
        seconds = self._settings.timeout_seconds
        try:
            # No cached client or listing. botocore makes one attempt; retries are counted here.
            self._system = s3fs.S3FileSystem(
                skip_instance_cache=True,
                use_listings_cache=False,
                config_kwargs={
                    "connect_timeout": seconds,
                    "read_timeout": seconds,
                    "max_pool_connections": 32,
                    "retries": {"total_max_attempts": 1, "mode": "standard"},
                },
            )
            self._client = self._run(self._system.set_session())
        except Exception as error:  # botocore has unrelated error classes for a bad configuration
            raise DropError(f"Object storage can't be used: {failure(error, 1)}.") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._client.close())

    def listing(self, bucket: str, prefix: str, most: int | None = None) -> list[StoredObject]:
        """Lists the objects whose keys begin with `prefix`, page by page, without a cache.

        Args:
            bucket: the bucket's name.
            prefix: the beginning; empty for all.
            most: only the first so many, at most 1,000; None for all.

        Raises:
            StorageError: if the listing fails.
        """
        return self._run(self._list(bucket, prefix, most))

    def fetch(self, bucket: str, stored: StoredObject, file: Path) -> Future[None]:
        """Starts to download an object to the new file `file`.

        The future raises:
            ChangedError: if the object has changed since it was listed.
            StorageError: if the download fails.
            OSError: if the file can't be written.
        """
        return self._submit(self._fetch(bucket, stored, file))

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes.

        Raises:
            StorageError: if reading fails.
        """

        async def attempt() -> bytes:
            response = await self._client.get_object(Bucket=bucket, Key=key, **self._payer)
            body: bytes = await response["Body"].read()
            return body

        return self._run(self._with_retries(attempt))

    def start_upload(self, bucket: str, key: str, metadata: Mapping[str, str]) -> Upload:
        """Starts a multipart upload; the object appears with `Upload.complete`.

        Raises:
            StorageError: if it is refused.
        """

        async def attempt() -> str:
            response = await self._client.create_multipart_upload(
                Bucket=bucket, Key=key, Metadata=dict(metadata)
            )
            identifier: str = response["UploadId"]
            return identifier

        identifier = self._run(self._with_retries(attempt))
        return Upload(self, bucket, key, identifier, dict(metadata))

    @property
    def _payer(self) -> dict[str, str]:
        return dict(self._system.req_kw)

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._system.loop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # after Ctrl-C here, it must not continue on the other thread
            raise

    async def _list(self, bucket: str, prefix: str, most: int | None) -> list[StoredObject]:
        objects: dict[str, StoredObject] = {}
        page_options: dict[str, Any] = {"MaxKeys": most} if most else {}
        while True:

            async def attempt(options: Mapping[str, Any] = page_options) -> Any:
                return await self._client.list_objects_v2(
                    Bucket=bucket, Prefix=prefix, **options, **self._payer
                )

            page = await self._with_retries(attempt)
            for entry in page.get("Contents", ()):
                modified = entry.get("LastModified")
                objects[entry["Key"]] = StoredObject(
                    entry["Key"],
                    int(entry["Size"]),
                    entry.get("ETag") or "",
                    modified.timestamp() if modified else None,
                )
            token = page.get("NextContinuationToken")
            if most or not page.get("IsTruncated"):
                return list(objects.values())
            if not token or token == page_options.get("ContinuationToken"):
                raise StorageError("ListingBroken", "its listing breaks off before its end")
            page_options = {"ContinuationToken": token}

    async def _fetch(self, bucket: str, stored: StoredObject, file: Path) -> None:
        condition = {"IfMatch": stored.etag} if stored.etag else {}

        async def attempt() -> None:
            response = await self._client.get_object(
                Bucket=bucket, Key=stored.key, **condition, **self._payer
            )
            async with response["Body"] as body:
                # Not every server supports If-Match.
                if response["ContentLength"] != stored.size or (
                    stored.etag and response.get("ETag") != stored.etag
                ):
                    raise ChangedError
                received = 0
                with file.open("wb") as target:
                    while received <= stored.size and (chunk := await body.read(CHUNK)):
                        received += len(chunk)
                        target.write(chunk)
            if received != stored.size:
                raise ConnectionError(f"{received:,} of {stored.size:,} bytes came")

        try:
            await self._with_retries(attempt)
        except StorageError as error:
            if error.code in ("PreconditionFailed", "412"):
                raise ChangedError from error
            raise

    async def _with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, repeated after transient errors.

        Raises:
            ChangedError, OSError: as `call` raises it; an OSError of this machine's file only.
            StorageError: after the last attempt, or at once if the error is not transient.
        """
        breaker_open = self._failed_calls >= CIRCUIT_BREAKER_FAILURES
        attempts = 1 if breaker_open else self._settings.attempts
        for number in range(1, attempts + 1):
            try:
                result = await call()
            except ChangedError:
                raise
            except Exception as error:
                retry = transient(error)
                if not retry and is_local(error):
                    raise
                if not retry or number == attempts:
                    self._failed_calls += retry
                    raise StorageError(code_of(error), failure(error, number)) from error
                longest = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (number - 1))
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311
            else:
                self._failed_calls = 0
                return result
        raise AssertionError("there is at least one attempt")


class Upload:
    """A multipart upload: the object appears when it is completed, or never."""

    def __init__(
        self, storage: Storage, bucket: str, key: str, identifier: str, metadata: dict[str, str]
    ) -> None:
        self._storage, self._metadata = storage, metadata
        self._object = {"Bucket": bucket, "Key": key}
        self._upload = {**self._object, "UploadId": identifier}
        self._parts: list[dict[str, Any]] = []

    def send(self, file: Path) -> None:
        """Uploads the bytes of `file`, which must have at least one.

        Raises:
            StorageError: if it fails.
        """
        client = self._storage._client
        with file.open("rb") as stream:
            while data := stream.read(PART):
                number = len(self._parts) + 1

                async def attempt(data: bytes = data, number: int = number) -> str:
                    response = await client.upload_part(
                        **self._upload, PartNumber=number, Body=data
                    )
                    etag: str = response["ETag"]
                    return etag

                etag = self._storage._run(self._storage._with_retries(attempt))
                self._parts.append({"PartNumber": number, "ETag": etag})

    def complete(self) -> None:
        """Makes the object appear, replacing an earlier one.

        Raises:
            StorageError: if it is refused.
        """
        client, attempts = self._storage._client, 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                await client.complete_multipart_upload(
                    **self._upload, MultipartUpload={"Parts": self._parts}
                )
            except Exception as error:
                # An earlier attempt may have succeeded and its response been lost.
                if attempts == 1 or code_of(error) != "NoSuchUpload":
                    raise
                head = await client.head_object(**self._object)
                if head.get("Metadata") != self._metadata:
                    raise

        self._storage._run(self._storage._with_retries(attempt))

    def abort(self) -> None:
        """Deletes the parts that were sent. A failure is ignored."""
        client = self._storage._client

        async def attempt() -> None:
            await client.abort_multipart_upload(**self._upload)

        with suppress(StorageError):  # a lifecycle rule of the bucket can delete them later
            self._storage._run(self._storage._with_retries(attempt))
