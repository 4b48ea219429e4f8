"""What Clearance asks of object storage: list, fetch and put, retried, with errors as sentences.

The only module that speaks to the network at screening, and only for a place written as an s3://
URL. The client is s3fs's, so that credentials and endpoints are found in the ways of AWS and of
fsspec; its calls are made here one by one, because its file system view has no room for keys such
as `a//b` or `a/`, and keeps listings.
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
from pipeline.drops.storage_errors import StorageError, code_of, failure, is_local, transient

if TYPE_CHECKING:
    from pipeline.drops.settings import ObjectStorage

T = TypeVar("T")

CHUNK = 2**18
PART = 64 * 2**20
"""Bytes of one part of an upload; object storage takes 10,000 of them."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
"""Seconds. The pause before a further attempt is drawn evenly from 0 to a bound, which doubles from
the first to the longest ("full jitter"), so that many clients do not come back at once."""

TIRED_AFTER = 32
"""Calls that failed for good, one after the other, after which each gets one attempt only until one
succeeds: an outage must not cost every object of a large drop all its pauses."""


class ChangedError(Exception):
    """The object is not the one that was listed."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells it.

    Attributes:
        key: its whole key.
        size: bytes.
        etag: changes with the content; no digest of it, for an object that was put in parts.
        modified: when it was put: seconds since the epoch, None if the server does not say.
    """

    key: str
    size: int
    etag: str
    modified: float | None


class Storage:
    """A connection to object storage, opened on entering and closed on leaving.

    Raises:
        DropError: if the extra `cloud` is not installed, or the client can't be made from what
            the environment says.
    """

    def __init__(self, settings: ObjectStorage) -> None:
        self._settings = settings
        self._failing = 0

    def __enter__(self) -> Self:
        try:
            import s3fs
        except ImportError as error:
            raise DropError(
                "Places in object storage (s3://) need the extra `cloud`; install it with "
                'pip install "clearance[cloud]".'
            ) from error
        seconds = self._settings.timeout_seconds
        try:
            # Neither client nor listing is one that was kept. Attempts are counted here alone.
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
        except Exception as error:  # botocore has errors of many trees for a bad configuration
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
        """The objects whose keys begin with `prefix`, asked for afresh, page by page.

        Args:
            bucket: the bucket's name.
            prefix: the beginning; empty for all.
            most: the first so many alone, at most 1,000.

        Raises:
            StorageError: if it can't be had.
        """
        return self._run(self._list(bucket, prefix, most))

    def fetch(self, bucket: str, found: StoredObject, file: Path) -> Future[None]:
        """Begins to write an object's bytes to the new file `file`.

        The future raises:
            ChangedError: if the object is not as it was listed.
            StorageError: if it can't be had.
            OSError: if the file can't be written.
        """
        return self._begin(self._fetched(bucket, found, file))

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes.

        Raises:
            StorageError: if they can't be had.
        """

        async def once() -> bytes:
            answer = await self._client.get_object(Bucket=bucket, Key=key, **self._payer)
            body: bytes = await answer["Body"].read()
            return body

        return self._run(self._retried(once))

    def begin_put(self, bucket: str, key: str, marks: Mapping[str, str]) -> Put:
        """Begins to put an object in parts; nothing shows before `Put.complete`.

        Raises:
            StorageError: if it is refused.
        """

        async def once() -> str:
            answer = await self._client.create_multipart_upload(
                Bucket=bucket, Key=key, Metadata=dict(marks)
            )
            upload: str = answer["UploadId"]
            return upload

        upload = self._run(self._retried(once))
        return Put(self, bucket, key, upload, dict(marks))

    @property
    def _payer(self) -> dict[str, str]:
        return dict(self._system.req_kw)

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._system.loop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = self._begin(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interruption here must not go on there
            raise

    async def _list(self, bucket: str, prefix: str, most: int | None) -> list[StoredObject]:
        found: dict[str, StoredObject] = {}
        going: dict[str, Any] = {"MaxKeys": most} if most else {}
        while True:

            async def once(going: Mapping[str, Any] = going) -> Any:
                return await self._client.list_objects_v2(
                    Bucket=bucket, Prefix=prefix, **going, **self._payer
                )

            page = await self._retried(once)
            for entry in page.get("Contents", ()):
                modified = entry.get("LastModified")
                found[entry["Key"]] = StoredObject(
                    entry["Key"],
                    int(entry["Size"]),
                    entry.get("ETag") or "",
                    modified.timestamp() if modified else None,
                )
            token = page.get("NextContinuationToken")
            if most or not page.get("IsTruncated"):
                return list(found.values())
            if not token or token == going.get("ContinuationToken"):
                raise StorageError("ListingBroken", "its listing breaks off before its end")
            going = {"ContinuationToken": token}

    async def _fetched(self, bucket: str, found: StoredObject, file: Path) -> None:
        only = {"IfMatch": found.etag} if found.etag else {}

        async def once() -> None:
            answer = await self._client.get_object(
                Bucket=bucket, Key=found.key, **only, **self._payer
            )
            async with answer["Body"] as body:
                # Not every server knows If-Match.
                if answer["ContentLength"] != found.size or (
                    found.etag and answer.get("ETag") != found.etag
                ):
                    raise ChangedError
                got = 0
                with file.open("wb") as target:
                    while got <= found.size and (chunk := await body.read(CHUNK)):
                        got += len(chunk)
                        target.write(chunk)
            if got != found.size:
                raise ConnectionError(f"{got:,} of {found.size:,} bytes came")

        try:
            await self._retried(once)
        except StorageError as error:
            if error.code in ("PreconditionFailed", "412"):
                raise ChangedError from error
            raise

    async def _retried(self, call: Callable[[], Awaitable[T]]) -> T:
        most = 1 if self._failing >= TIRED_AFTER else self._settings.attempts
        for attempt in range(1, most + 1):
            try:
                done = await call()
            except ChangedError:
                raise
            except Exception as error:
                again = transient(error)
                if not again and is_local(error):
                    raise
                if not again or attempt == most:
                    self._failing += again
                    raise StorageError(code_of(error), failure(error, attempt)) from error
                bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
                await asyncio.sleep(random.uniform(0, bound))  # noqa: S311
            else:
                self._failing = 0
                return done
        raise AssertionError("there is at least one attempt")


class Put:
    """An object on its way, which shows when it is completed, or never."""

    def __init__(
        self, storage: Storage, bucket: str, key: str, upload: str, marks: dict[str, str]
    ) -> None:
        self._storage, self._upload, self._marks = storage, upload, marks
        self._named = {"Bucket": bucket, "Key": key}
        self._parts: list[dict[str, Any]] = []

    def send(self, file: Path) -> None:
        """Sends the bytes of `file`, which is at least one byte long.

        Raises:
            StorageError: if they can't be sent.
        """
        client = self._storage._client
        with file.open("rb") as stream:
            while data := stream.read(PART):
                number = len(self._parts) + 1

                async def once(data: bytes = data, number: int = number) -> str:
                    answer = await client.upload_part(
                        **self._named, UploadId=self._upload, PartNumber=number, Body=data
                    )
                    etag: str = answer["ETag"]
                    return etag

                etag = self._storage._run(self._storage._retried(once))
                self._parts.append({"PartNumber": number, "ETag": etag})

    def complete(self) -> None:
        """Lets the object show, in place of an earlier one.

        Raises:
            StorageError: if it is refused.
        """
        client, tried = self._storage._client, 0

        async def once() -> None:
            nonlocal tried
            tried += 1
            try:
                await client.complete_multipart_upload(
                    **self._named,
                    UploadId=self._upload,
                    MultipartUpload={"Parts": self._parts},
                )
            except Exception as error:
                # The answer to an earlier attempt may have been lost on its way.
                if tried == 1 or code_of(error) != "NoSuchUpload":
                    raise
                there = await client.head_object(**self._named)
                if there.get("Metadata") != self._marks:
                    raise

        self._storage._run(self._storage._retried(once))

    def abandon(self) -> None:
        """Takes back what was sent, as well as that can be done."""
        client = self._storage._client

        async def once() -> None:
            await client.abort_multipart_upload(**self._named, UploadId=self._upload)

        with suppress(StorageError):  # or a bucket's rule on unfinished uploads takes them away
            self._storage._run(self._storage._retried(once))
