"""Words a second of the script stages against indexes of more and more words.

Works and scripts are synthetic (`passage_chain`), so that an index can be as large as is asked for.
Registered by the code behind `clearance index add`, searched as a screening does, texts already
read. Figures are of processor seconds, which a machine that others use changes least, and the bare
datasketch loop takes turns with them. Every size is measured in a process of its own, whose memory
is bounded: one that would take more ends as a line that says so.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.copy_screening import Told
from benchmarks.passage_chain import Chain
from benchmarks.throughput import datasketch_loop
from pipeline.core.records import Fingerprint, Kind
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript
from pipeline.screening.config import Config, load_config
from pipeline.screening.register import add_works, create_index
from pipeline.screening.stage_runner import StageRunner, fingerprint_all, open_runners, search_all
from reference_index.store import ReferenceIndex

SIZES = (100_000, 1_000_000, 10_000_000, 30_000_000)
WORK_WORDS = 20_000
AT_ONCE = 200
"""Works that are drawn together: what bounds the memory of drawing them."""
SCRIPTS, SCRIPT_WORDS = 12, 4000
LIFTING = 4
"""One script in so many has a passage of a registered work."""
LIFTED_LINES = 25


def speed(
    texts: Sequence[str], out: Path, sizes: Sequence[int], rounds: int, memory: float, seed: int
) -> dict[str, Any]:
    """Words a second for each size of the index, in ascending order.

    Args:
        texts: real ones, of which synthetic ones are made.
        out: a new folder; indexes and works are removed at the end.
        memory: GiB that registering, and searching, may take.
    """
    told = Told()
    chain = Chain(texts)
    out.mkdir(parents=True)
    create_index(out / "index", keep_content=False)
    _write_scripts(chain, out / "scripts", seed)
    lines: list[dict[str, Any]] = []
    done = 0
    for size in sizes:
        count = max(1, round(size / WORK_WORDS)) - done
        if count > 0:
            _write_works(chain, out / "works", done, count, seed)
            fault, _ = _apart(_add, (out / "index", out / "works"), memory)
            shutil.rmtree(out / "works")
            if fault:
                lines.append({"words": size, "fault": f"not registered: {fault}"})
                break
            done += count
        fault, line = _apart(_measured, (out / "index", out / "scripts", rounds), memory)
        told(f"index of {done * WORK_WORDS:,} words measured")
        if fault:
            lines.append({"words": done * WORK_WORDS, "fault": f"not measured: {fault}"})
            break
        mib = sum(file.stat().st_size for file in (out / "index").rglob("*") if file.is_file())
        lines.append({"words": done * WORK_WORDS, "index_mib": mib / 2**20} | line)
    shutil.rmtree(out)
    first = next((one for one in lines if one["words"] >= 1_000_000), lines[0])
    for line in lines:
        if "fault" not in line and "fault" not in first:
            line["time_beside_first"] = first["times_as_fast"] / line["times_as_fast"]
    return {
        "set": f"Synthetic works of {WORK_WORDS:,} words, {SCRIPTS} scripts of {SCRIPT_WORDS:,} "
        f"words, one in {LIFTING} with a lifted passage; {rounds} rounds; words a second of "
        "processor time, fingerprint and search together. Time is beside that against "
        f"{first['words']:,} words, both measured by the datasketch loop that took turns. The "
        "first search, which opens the index, is not in it.",
        "beside": first["words"],
        "sizes": lines,
    }


def _write_works(chain: Chain, folder: Path, first: int, count: int, seed: int) -> None:
    folder.mkdir()
    for start in range(first, first + count, AT_ONCE):
        several = min(AT_ONCE, first + count - start)
        texts = chain.scripts(several, WORK_WORDS, seed * 1_000_003 + start)
        for place, text in enumerate(texts, start):
            (folder / f"w{place:06d}.txt").write_text(text, encoding="utf-8")


def _write_scripts(chain: Chain, folder: Path, seed: int) -> None:
    """Scripts to be searched for; some have lines of the first work that will be registered."""
    folder.mkdir()
    work = chain.scripts(1, WORK_WORDS, seed * 1_000_003)[0].split("\n")
    for place, text in enumerate(chain.scripts(SCRIPTS, SCRIPT_WORDS, seed * 1_000_003 - 1)):
        lines = text.split("\n")
        if place % LIFTING == 0:
            lines[100:100] = work[50 * place : 50 * place + LIFTED_LINES]
        (folder / f"s{place:03d}.txt").write_text("\n".join(lines), encoding="utf-8")


def _apart(
    work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], memory: float
) -> tuple[str, dict[str, Any]]:
    """The result of `work` in a process of its own, or why it has none."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_bounded, args=(sender, memory, work, arguments))
    process.start()
    sender.close()
    try:
        result: tuple[str, dict[str, Any]] = receiver.recv()
    except EOFError:
        process.join()
        result = f"more than {memory:g} GiB of memory, or ended ({process.exitcode})", {}
    process.join()
    return result


def _bounded(
    sender: Connection,
    memory: float,
    work: Callable[..., dict[str, Any]],
    arguments: tuple[Any, ...],
) -> None:
    most = int(memory * 2**30)
    # Not the address space: mapped files, which take no memory for themselves, count to that.
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        sender.send(("", work(*arguments)))
    except MemoryError:
        sender.send((f"more than {memory:g} GiB of memory", {}))


def _add(index: Path, works: Path) -> dict[str, Any]:
    add_works(index, works)
    return {}


def _measured(index_path: Path, folder: Path, rounds: int) -> dict[str, Any]:
    config: Config = load_config(None)
    index = ReferenceIndex.open(index_path)
    scripts = []
    for file in sorted(folder.iterdir()):
        loaded = load(asset_of(file, file.name), Limits())
        assert isinstance(loaded, LoadedScript)
        scripts.append(loaded)
    began = time.process_time()
    runners = [
        runner
        for runner in open_runners(index, config.stage_settings)
        if runner.kind is Kind.SCRIPT and runner.stage is not None
    ]
    prints = [_prints(runner, scripts) for runner in runners]
    matched = sum(
        bool(outcome.evidence)
        for runner, its in zip(runners, prints, strict=True)
        for outcome in _search(runner, its)
    )
    opened = time.process_time() - began
    bare = datasketch_loop(scripts)
    bare()
    parts: list[Callable[[], object]] = [
        lambda: [_prints(runner, scripts) for runner in runners],
        lambda: [_search(runner, its) for runner, its in zip(runners, prints, strict=True)],
        bare,
    ]
    taken: list[list[float]] = [[], [], []]
    for number in range(rounds):
        # The order turns round, so that no part is always the one after a rest.
        for place in (0, 1, 2) if number % 2 else (2, 1, 0):
            taken[place].append(_seconds(parts[place]))
    words = sum(len(script.text.split()) for script in scripts)
    ours = [a + b for a, b in zip(taken[0], taken[1], strict=True)]
    ratios = [b / a for a, b in zip(ours, taken[2], strict=True)]
    return {
        "words_per_second": words / median(ours),
        "fingerprint_words_per_second": words / max(median(taken[0]), 1e-9),
        "search_words_per_second": words / max(median(taken[1]), 1e-9),
        "bare_words_per_second": words / median(taken[2]),
        "times_as_fast": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "open_seconds": opened,
        "matched": matched,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _prints(runner: StageRunner, scripts: Sequence[LoadedScript]) -> list[Fingerprint]:
    assert runner.stage is not None
    return [p for p in fingerprint_all(runner.stage, scripts) if isinstance(p, Fingerprint)]


def _search(runner: StageRunner, prints: Sequence[Fingerprint]) -> list[Any]:
    assert runner.stage is not None
    assert runner.entries is not None
    return list(
        search_all(runner.stage, prints, runner.entries, runner.settings, [{} for _ in prints])
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def write_curve(results: dict[str, Any], file: Path) -> None:
    """Words a second over the size of the index, beside the datasketch loop, as a PNG."""
    from matplotlib.figure import Figure

    lines = [line for line in results["sizes"] if "fault" not in line]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    sizes = [line["words"] for line in lines]
    axes.semilogx(sizes, [line["words_per_second"] for line in lines], "o-", label="Clearance")
    axes.semilogx(
        sizes,
        [line["bare_words_per_second"] for line in lines],
        "s--",
        label="datasketch: signatures of windows alone, no search",
    )
    axes.set_xlabel("words in the index")
    axes.set_ylabel("words a second of one core")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend()
    figure.savefig(file, dpi=120)
