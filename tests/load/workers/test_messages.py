"""Replies of workers are validated: sizes, offsets and types beyond the limits are refused."""

from __future__ import annotations

import json
import struct
import sys

import numpy as np
import pytest
from load_samples import reason

from pipeline.core.errors import Reason
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedImage, LoadedScript
from pipeline.load.workers import pool as workers
from pipeline.load.workers import worker
from pipeline.load.workers.pool import close_workers, load_in_worker


@pytest.fixture
def pool():
    """No worker of an earlier test, and none left for the next."""
    close_workers()
    yield workers._pool
    close_workers()


@pytest.fixture
def words(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"words that are sound")
    return asset_of(tmp_path / "words.txt", "words.txt")


def fake_worker(reply):
    """A compromised worker: reports that it is ready, then replies with `reply`."""
    return [
        sys.executable,
        "-c",
        "import sys; o = sys.stdout.buffer; o.write(b'{\"ready\": true}\\n'); o.flush(); "
        f"sys.stdin.buffer.read(4); o.write({reply!r}); o.flush(); sys.stdin.buffer.read()",
    ]


def framed(header, data=b""):
    header_bytes = json.dumps(header).encode()
    return struct.pack("<I", len(header_bytes)) + header_bytes + data


PICTURE = {
    "kind": "image", "shapes": [[1, 1]], "format": "PNG", "frame_count": 1, "notes": [],
    "complete": True, "numbers": [0],
}  # fmt: skip
SCRIPT = {
    "kind": "script", "text_bytes": 2, "spans": 1, "names_bytes": 8, "pages": False,
    "format": "txt", "encoding": None, "notes": [], "complete": True,
}  # fmt: skip


def script(header=SCRIPT, text=b"ab", names=b'["text"]', spans=(0, 2, 0)):
    return framed(header, text + names + np.array(spans, np.int64).tobytes())


@pytest.mark.parametrize(
    "reply",
    [
        b"\xff\xff\xff\xff",
        b"\4\0\0\0nope",
        framed({"kind": "cleared"}),
        framed({"kind": "fault", "reason": "no_match", "detail": "it is fine"}),
        framed({**PICTURE, "shapes": [[2**20, 2**20]]}),
        framed({**PICTURE, "shapes": [[1, 1]] * 201}),
        framed({**PICTURE, "shapes": [[-1, -1]]}),
        framed({**PICTURE, "shapes": []}),
        framed({**PICTURE, "numbers": [1]}, b"abc"),
        framed({**PICTURE, "more": 1}, b"abc"),
        framed({**SCRIPT, "text_bytes": 2**39}),
        framed({**SCRIPT, "spans": 2**39}),
        script(text=b"\xff\xff"),
        script(names=b'["text"}'),
        script(spans=(0, 3, 0)),
        script(spans=(-1, 2, 0)),
        script(spans=(1, 1, 0)),
        script(spans=(0, 2, 1)),
        script(spans=(0, 2, -1)),
    ],
)
def test_an_invalid_reply_is_decoder_died(pool, words, monkeypatch, reply):
    monkeypatch.setattr(worker.Worker, "_command", lambda _: fake_worker(reply))
    assert reason(load_in_worker(words, Limits())) is Reason.DECODER_DIED
    assert pool._idle == []


@pytest.mark.parametrize(("reply", "kind"), [(framed(PICTURE, b"abc"), LoadedImage),
                                              (script(), LoadedScript)])  # fmt: skip
def test_the_valid_versions_of_these_replies_are_accepted(pool, words, monkeypatch, reply, kind):
    monkeypatch.setattr(worker.Worker, "_command", lambda _: fake_worker(reply))
    assert isinstance(load_in_worker(words, Limits()), kind)
