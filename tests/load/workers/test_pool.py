"""Workers give the same results as this process, and a file costs at most its own row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from load_samples import (
    animation,
    checked,
    chunk,
    detailed,
    encoded,
    final_draft,
    many_operators,
    paragraph,
    pdf,
    png,
    reason,
    solid,
    word_document,
    words_at,
)

from pipeline.core.errors import DecodingError, Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import OUT_OF_MEMORY, load
from pipeline.load.loaded import LoadedImage, LoadedScript
from pipeline.load.workers import pool as workers
from pipeline.load.workers import worker
from pipeline.load.workers.pool import Workers, close_workers, load_all, load_in_worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and /proc are looked at"),
]

ROOT = Path(__file__).parents[3]
LITTLE = Limits(max_worker_bytes=512 * 2**20)
CUT_OUT = encoded(detailed(2, (60, 50)).convert("RGBA").rotate(30, fillcolor=(0, 0, 0, 0)), "PNG")
SAMPLES = {
    **{f"a.{name.lower()}": encoded(detailed(1, (70, 50)), name)
       for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")},
    "cut_out.png": CUT_OUT,
    "large.png": encoded(detailed(3, (2100, 1300)), "PNG"),
    "moving.gif": animation([detailed(one) for one in range(120)], "GIF"),
    "profile.png": png(2, 1, 8, 2, [b"\1\2\3\4\5\6"], chunk(b"iCCP", b"p\0\0broken")),
    "a.txt": "Élan vital, 語 and \U0001f3ac in one line.\r\nAnd another.".encode("utf-16"),
    "latin.txt": "Café words in an old encoding, été, naïve.".encode("latin-1"),
    "a.md": b"# A title\n\nwords",
    "a.fountain": b"INT. HOUSE - DAY\n\nShe waits.\n\nMARTA\nWords are said.\n",
    "a.srt": b"1\n00:00:01,000 --> 00:00:02,000\n<i>words</i>\n",
    "a.vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\nwords\n",
    "a.fdx": final_draft("<Paragraph Type='Action'><Text>words</Text></Paragraph>"),
    "a.docx": word_document(paragraph("words in a paragraph")),
    "a.pdf": pdf([words_at("words on a page"), words_at("and more")]),
    "cut.png": CUT_OUT[:-40],
    "empty.txt": b"",
    "noise.docx": b"PK\3\4 but no more",
    "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(200),
}  # fmt: skip


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return asset_of(folder / name, name)


@pytest.fixture
def words(tmp_path):
    return written(tmp_path, "words.txt", b"words that are sound")


@pytest.fixture
def pool():
    """No worker of an earlier test, and none left for the next."""
    close_workers()
    yield workers._pool
    close_workers()


def only(pool):
    (one,) = pool._idle
    return one


def monster(folder, seconds=60):
    """A small valid picture that takes long to decode, because it has very many frames."""
    frame = b"\x21\xf9\x04\x04\x01\0\0\0\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\1\0"
    data = b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0" + frame * (200_000 * seconds // 6) + b";"
    return written(folder, "monster.gif", data)


def same(one, other):
    if not isinstance(one, LoadedImage):
        return one == other
    for name in ("format", "frame_count", "notes", "complete", "numbers"):
        assert getattr(one, name) == getattr(other, name)
    return len(one.frames) == len(other.frames) and all(
        a.dtype == b.dtype and a.flags.writeable and np.array_equal(a, b)
        for a, b in zip(one.frames, other.frames, strict=True)
    )


def test_a_worker_gives_the_same_result_as_this_process(tmp_path):
    assets = [written(tmp_path, name, data) for name, data in SAMPLES.items()]
    chunks = load_all(assets, Limits(), lambda asset: asset)
    loaded = [pair for chunk in chunks for pair in chunk]
    assert [asset for asset, _ in loaded] == assets
    for asset, apart in loaded:
        assert same(checked(apart), load(asset, Limits())), asset.asset_path


def test_names_that_are_not_unicode_and_relative_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for raw in (b"latin-\xe9.txt", b"new\nline.txt", b"-rf.txt"):
        file = Path(os.fsdecode(raw))
        file.write_bytes(b"words of a file")
        assert isinstance(load_in_worker(asset_of(file, "a"), Limits()), LoadedScript)


def test_a_fault_of_discovery_needs_no_worker(pool, tmp_path):
    fault = Fault(Reason.NOT_A_FILE, "it is a named pipe, not a file")
    assert load_in_worker(Asset(tmp_path, "a", None, Kind.OTHER, None, fault), Limits()) is fault
    assert pool._idle == []


def test_a_worker_is_kept_and_replaced_after_many_files(pool, words, monkeypatch):
    load_in_worker(words, Limits())
    first = only(pool)
    load_in_worker(words, Limits())
    assert only(pool) is first
    monkeypatch.setattr(workers, "FILES_A_WORKER", 3)
    load_in_worker(words, Limits())
    assert pool._idle == []
    assert not first.alive()


def test_a_worker_with_another_memory_limit_is_not_used(pool, words):
    load_in_worker(words, Limits())
    first = only(pool)
    load_in_worker(words, LITTLE)
    assert only(pool) is not first
    bounds = Path(f"/proc/{only(pool).pid}/limits").read_text()
    assert f"Max address space         {LITTLE.max_worker_bytes}" in bounds
    assert "Max file size             0 " in bounds
    assert "Max core file size        0 " in bounds


def killed_while_busy(pool, asset, count):
    """Loads the asset while its workers are killed, `count` of them; the result."""
    killed = []

    def kill(loading):
        while len(killed) < count:
            for one in list(loading._busy):
                if one.pid not in killed and one.files:
                    time.sleep(0.2)
                    killed.append(one.pid)
                    os.kill(one.pid, signal.SIGKILL)
            time.sleep(0.01)

    with Workers(Limits()) as loading:
        killer = threading.Thread(target=kill, args=(loading,))
        killer.start()
        result = loading.load(asset)
        killer.join()
    return result


def test_a_worker_that_is_killed_costs_one_row(pool, tmp_path, words):
    result = checked(killed_while_busy(pool, monster(tmp_path), 1))
    assert reason(result) is Reason.DECODER_DIED
    assert "SIGKILL" in result.detail
    assert isinstance(load_in_worker(words, Limits()), LoadedScript)


def test_a_file_is_tried_once_more_if_an_earlier_file_may_be_the_cause(pool, tmp_path, words):
    load_in_worker(words, Limits())
    assert reason(killed_while_busy(pool, monster(tmp_path), 2)) is Reason.DECODER_DIED
    load_in_worker(words, Limits())
    only(pool).kill()
    time.sleep(0.1)
    assert isinstance(load_in_worker(words, Limits()), LoadedScript), "it died between two files"


def test_a_file_that_takes_too_long_is_a_row_and_its_worker_is_gone(pool, tmp_path, words):
    started = time.monotonic()
    result = checked(load_in_worker(monster(tmp_path, 6), Limits(max_load_seconds=1)))
    assert reason(result) is Reason.TIMED_OUT
    assert "max_load_seconds" in result.detail
    assert time.monotonic() - started < 30
    assert pool._idle == []
    assert isinstance(load_in_worker(words, Limits()), LoadedScript)


def test_a_pdf_reader_is_killed_with_its_worker(pool, tmp_path):
    asset = written(tmp_path, "slow.pdf", many_operators())
    ends = threading.Event()
    children = set()

    def watch(loading):
        while not ends.is_set():
            for one in list(loading._busy):
                done = Path(f"/proc/{one.pid}/task/{one.pid}/children")
                children.update(done.read_text().split() if done.exists() else ())
            time.sleep(0.02)

    with Workers(Limits(max_load_seconds=1)) as loading:
        watcher = threading.Thread(target=watch, args=(loading,))
        watcher.start()
        result = loading.load(asset)
        ends.set()
        watcher.join()
    assert reason(result) in {Reason.TIMED_OUT, Reason.TOO_LARGE}
    assert children
    time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}/status").exists() for pid in children if _runs(pid))


def _runs(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_memory_over_the_limit_is_a_row(pool, tmp_path, words):
    asset = written(tmp_path, "a.png", encoded(solid(1, (12_000, 12_000), "1"), "PNG"))
    load_in_worker(words, LITTLE)
    result = checked(load_in_worker(asset, LITTLE))
    assert result == OUT_OF_MEMORY
    assert result == load_in_worker(asset, LITTLE), "whichever files its worker loaded before"
    assert isinstance(load_in_worker(words, LITTLE), LoadedScript)


def test_a_worker_that_leaks_is_replaced(pool, words, monkeypatch):
    load_in_worker(words, Limits())
    first = only(pool)
    monkeypatch.setattr(worker.Worker, "_address_space", lambda _: 2**40)
    load_in_worker(words, Limits())
    assert pool._idle == []
    assert not first.alive()


@pytest.mark.parametrize(
    "program",
    [
        ["/no/such/program"],
        [sys.executable, "-c", "raise SystemExit(3)"],
        [sys.executable, "-c", 'print(\'{"error": "ImportError: no numpy"}\')'],
        [sys.executable, "-c", "import time; time.sleep(60)"],
    ],
)
def test_a_worker_that_can_t_be_started_is_one_error(pool, words, monkeypatch, program):
    monkeypatch.setattr(worker.Worker, "_command", lambda _: program)
    monkeypatch.setattr(worker, "START_SECONDS", 2.0)
    with pytest.raises(DecodingError, match="No process could be started"):
        list(load_all([words] * 40, Limits(), lambda asset: asset))
    assert pool._idle == []


class Killed:
    """Kills workers while they start: those for which `which(number of earlier starts)` is true."""

    def __init__(self, monkeypatch, which):
        self.which, self.started, command = which, 0, worker.Worker._command

        def command_of(one):
            self.started += 1
            if not self.which(self.started - 1):
                return command(one)
            return [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]

        monkeypatch.setattr(worker.Worker, "_command", command_of)
        monkeypatch.setattr(workers, "START_PAUSES", (0.0, 0.0))


def test_a_worker_that_is_killed_while_it_starts_is_started_again(pool, words, monkeypatch):
    killed = Killed(monkeypatch, lambda before: before < 2)
    assert isinstance(load_in_worker(words, Limits()), LoadedScript)
    assert killed.started == 3


def test_workers_killed_while_they_start_cost_rows_if_one_started_before(pool, words, monkeypatch):
    killed = Killed(monkeypatch, lambda before: 0 < before < 4)
    with Workers(Limits()) as loading:
        assert isinstance(loading.load(words), LoadedScript)
        close_workers()
        result = checked(loading.load(words))
        assert reason(result) is Reason.NO_DECODER
        assert "not the file's" in result.detail
        assert killed.started == 4
        assert isinstance(loading.load(words), LoadedScript)


def test_a_run_ends_when_no_worker_starts_for_many_files_in_a_row(pool, words, monkeypatch):
    monkeypatch.setattr(workers, "FAILED_STARTS", 3)
    Killed(monkeypatch, lambda before: before > 0)
    with Workers(Limits()) as loading:
        assert isinstance(loading.load(words), LoadedScript)
        close_workers()
        assert [reason(loading.load(words)) for _ in range(2)] == [Reason.NO_DECODER] * 2
        with pytest.raises(DecodingError, match="it was ended by SIGKILL"):
            loading.load(words)


def test_a_worker_that_died_before_the_request_is_not_the_file_s_fault(pool, words, monkeypatch):
    gone, wait_until_ready = [], worker.Worker._wait_until_ready

    def ready_then_killed(one):
        wait_until_ready(one)
        if not gone:
            gone.append(one.pid)
            one.kill()
            one._process.wait()

    monkeypatch.setattr(worker.Worker, "_wait_until_ready", ready_then_killed)
    assert isinstance(load_in_worker(words, Limits()), LoadedScript)
    assert gone


SLOW = """
import os, signal, sys, threading, time
# Where the tests run in the background of a shell, it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
sys.path.insert(0, {root!r})
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.workers import pool as workers
from pipeline.load.workers.pool import prefetch
asset = asset_of(Path({file!r}), "a")

def report():
    while True:
        busy = list(loading._busy)
        if busy and busy[0].files:
            print(busy[0].pid, flush=True)
            return
        time.sleep(0.01)

try:
    with workers.Workers(Limits()) as loading:
        threading.Thread(target=report).start()
        print(list(prefetch([asset] * 3, loading.load)), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_exit_when_their_parent_is_killed(tmp_path, how):
    """Without `if __name__ == "__main__"`; Ctrl-C is handled at once, and only by the parent."""
    program = tmp_path / "program.py"
    text = SLOW.format(root=str(ROOT), file=str(monster(tmp_path).file))
    program.write_text(text)
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as parent:  # fmt: skip
        pid = int(parent.stdout.readline())
        assert os.getpgid(pid) != os.getpgid(parent.pid)
        started = time.monotonic()
        os.killpg(parent.pid, how)
        out, error = parent.communicate(timeout=20)
        assert time.monotonic() - started < 10
        while _runs(pid) and time.monotonic() - started < 10:
            time.sleep(0.05)
        assert not _runs(pid), error
        if how is signal.SIGINT:
            assert "interrupted" in out
            assert "Traceback" not in error


def test_nothing_is_left_at_the_end(tmp_path):
    """Neither processes, nor open files, nor warnings; with a fork in between."""
    (tmp_path / "a.txt").write_bytes(b"words of a file")
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.workers import pool as workers
before = len(os.listdir("/proc/self/fd"))
assets = [asset_of(Path({str(tmp_path / "a.txt")!r}), "a")] * 40
def all_of_them():
    return [one for chunk in workers.load_all(assets, Limits(), lambda a: a) for one in chunk]
assert len(all_of_them()) == 40
pids = set(one.pid for one in workers._pool._idle)
if os.fork() == 0:
    assert len(all_of_them()) == 40
    sys.exit(0)
assert os.wait()[1] == 0
assert len(all_of_them()) == 40
assert pids & set(one.pid for one in workers._pool._idle)
workers.close_workers()
assert len(os.listdir("/proc/self/fd")) == before, os.listdir("/proc/self/fd")
assert len(all_of_them()) == 40
print(*[one.pid for one in workers._pool._idle])
"""
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not any(_runs(pid) for pid in done.stdout.split())


def test_a_worker_has_no_open_file_but_its_pipes(tmp_path, pool, words):
    load_in_worker(words, Limits())
    pid = only(pool).pid
    open_files = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    assert all(one.startswith("pipe:") or one == os.devnull for one in open_files)
    assert "torch" not in Path(f"/proc/{pid}/maps").read_text()
