"""How well passages lifted into scripts are found, word for word, on texts of yours.

    python -m benchmarks.passages --texts DIR [DIR ...] --out DIR --split test --seed 1

The texts are grouped by work and split by work. Of one side some works are registered; passages of
them are planted, under many disguises, in scripts cut from the others, and those scripts and clean
ones of the same kind are screened. All of it goes through `clearance`'s own ways: an index is made,
a folder screened, the tables read. datasketch looks for the same passages beside it.

--out receives results.md, results.json, passages.csv (every planted passage and its fate),
misses.md and false.md (both sides, to be read), speed.png, and the set itself. --language NAME=DIR
runs the same on texts of another language, without a split: nothing was fitted to them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.copy_screening import Told
from benchmarks.passage_baselines import MERGED, baselines
from benchmarks.passage_figures import (
    bands_by_length,
    bands_of,
    clean_line,
    false_reports,
    fates_of,
    line_of,
    lines,
    obfuscation_lines,
)
from benchmarks.passage_misses import write_false, write_fates, write_misses
from benchmarks.passage_natural import natural, pairs_of
from benchmarks.passage_planting import HOST_WORDS, LENGTHS, WAYS, Planter
from benchmarks.passage_report import (
    OURS,
    natural_in_markdown,
    part_in_markdown,
    speed_in_markdown,
)
from benchmarks.passage_screening import index_of, screened, write_drop, write_works
from benchmarks.passage_speed import SIZES, speed, write_curve
from benchmarks.passage_texts import Pool, Side, Split, plain_words, pool_of, side_of
from pipeline.screening.config import Config, load_config

MARK = ".made-by-benchmarks-passages"


def fresh(out: Path) -> Path:
    """The folder of results, without what an earlier run left in it."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise SystemExit(f"{out} holds something else; name a new or empty folder as --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()
    return out


def part(
    pool: Pool, out: Path, config: Config, split: Split | None, options: argparse.Namespace
) -> dict[str, Any]:
    """Everything that is measured on one set of texts, but speed."""
    told = Told()
    side = side_of(pool, split, options.seed, options.registered)
    planter = Planter(side, options.seed, options.host_words)
    scripts = planter.scripts(options.ways, options.lengths, options.each)
    clean = planter.clean(options.clean)
    names = write_works(side.works, out / "works")
    works = {names[work.key]: work.text for work in side.works}
    cases, left_out = write_drop(scripts, out / "drop", names)
    write_drop(clean, out / "clean", names)
    told(f"{len(cases)} passages planted in {len(scripts)} scripts, {len(clean)} clean ones")
    index_of(out / "works", out / "index")
    told(f"{len(works)} works registered")
    answer = screened(out / "drop", out / "index", out / "run", config)
    answer_clean = screened(out / "clean", out / "index", out / "run-clean", config)
    told(f"{len(answer.bands) + len(answer_clean.bands)} scripts screened")
    reports = {OURS: [finding.pair for finding in answer.findings]}
    reports_clean = {OURS: [finding.pair for finding in answer_clean.findings]}
    for name, found in baselines({**answer.texts, **answer_clean.texts}, works).items():
        reports[name] = [pair for pair in found if pair.script in answer.texts]
        reports_clean[name] = [pair for pair in found if pair.script in answer_clean.texts]
    told(f"{len(reports) - 1} baselines")
    fates = fates_of(cases, answer)
    words, words_clean = (
        sum(len(plain_words(text)) for text in one.texts.values()) for one in (answer, answer_clean)
    )
    write_fates(fates, out / "passages.csv")
    missed = write_misses(fates, answer, out / "misses.md")
    false = write_false(cases, (answer, answer_clean), works, out / "false.md")
    told(f"{missed} passages missed, {false} reports of what was not planted")
    return {
        "set": _in_words(pool, side, planter, split, options, len(cases), len(answer.bands))
        + "".join(f" Left out: {why}." for why in left_out),
        "methods": {name: line_of(cases, found) for name, found in reports.items()},
        "lines": lines(cases, reports[OURS]),
        "lines_of_windows": lines(cases, reports[MERGED]),
        "bands": bands_by_length(fates),
        "tells_obfuscation": answer.tells_obfuscation,
        "obfuscation": obfuscation_lines(fates),
        "clean": {
            name: clean_line(words_clean, list(answer_clean.bands), found)
            for name, found in reports_clean.items()
        },
        "false": {
            name: clean_line(words, list(answer.bands), false_reports(cases, found))
            for name, found in reports.items()
        },
        "clean_bands": bands_of(answer_clean),
    }


def _in_words(
    pool: Pool,
    side: Side,
    planter: Planter,
    split: Split | None,
    options: argparse.Namespace,
    passages: int,
    scripts: int,
) -> str:
    """What was measured on, in one paragraph."""
    left_out = "; ".join(f"{count} {why}" for why, count in sorted(pool.left_out.items()))
    words = sum(len(work.words) for work in side.works)
    where = f"On the side {split!r}" if split else "Of both sides"
    again = ", ".join(f"{what} {count} times" for what, count in sorted(planter.refused.items()))
    return (
        f"{pool.read} texts could be used{f' ({left_out} left out)' if left_out else ''}, of "
        f"{len(pool.works)} works. {where}, seed {options.seed}: {len(side.works)} registered "
        f"({words:,} words), {len(side.distractors)} distractors; {passages} passages of "
        f"{options.lengths[0]:,} to {options.lengths[-1]:,} words planted in {scripts} scripts of "
        f"about {options.host_words:,} words besides, {options.clean} clean scripts."
        + (f" Drawn again for what registered works share by nature: {again}." if again else "")
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--split", choices=("test", "calibration"), default="test")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--registered", type=float, default=0.6, help="share of works (default .6)")
    parser.add_argument("--each", type=int, default=2, help="passages a script (default 2)")
    parser.add_argument("--clean", type=int, default=50, help="scripts without (default 50)")
    parser.add_argument("--host-words", type=int, default=HOST_WORDS, help="default 4,000")
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS), metavar="WORDS")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    parser.add_argument("--config", type=Path, help="of the screening; by default the shipped one")
    parser.add_argument("--language", nargs="+", default=[], metavar="NAME=DIR")
    parser.add_argument("--pairs", type=Path, metavar="JSON", help="natural pairs")
    parser.add_argument(
        "--apart", type=Path, nargs=2, action="append", default=[], metavar=("QUERY", "REFERENCE")
    )
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), metavar="WORDS")
    parser.add_argument("--rounds", type=int, default=3, help="of timing; 0 for none (default 3)")
    parser.add_argument("--memory", type=float, default=12.0, help="GiB of a timing (default 12)")
    return parser


def main(given: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = arguments().parse_args(given)
    languages = dict(_named(one) for one in options.language)
    options.lengths = sorted(set(options.lengths))
    pairs = pairs_of(options.pairs, options.apart)
    config = load_config(options.config)
    pool = pool_of(options.texts)
    out = fresh(options.out)
    results: dict[str, Any] = {"config_fingerprint": config.fingerprint()}
    results["texts"] = part(pool, out, config, options.split, options)
    page = [part_in_markdown(results["texts"], title="Planted passages")]
    for name, folder in languages.items():
        (out / name).mkdir()
        results[name] = part(pool_of([folder]), out / name, config, None, options)
        page.append(part_in_markdown(results[name], title=f"Planted passages: {name}"))
    if pairs:
        results["natural"] = natural(pairs, out / "natural", config)
        page.append(natural_in_markdown(results["natural"]))
    if options.rounds and options.sizes:
        results["speed"] = speed(
            [editions[0].text for editions in pool.works],
            out / "speed",
            sorted(options.sizes),
            options.rounds,
            options.memory,
            options.seed,
        )
        write_curve(results["speed"], out / "speed.png")
        page.append(speed_in_markdown(results["speed"]))
    text = "\n\n".join(page) + "\n"
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(text, encoding="utf-8")
    print(text)
    print(f"What was missed is in {out / 'misses.md'}, what was not planted in {out / 'false.md'}.")


def _named(given: str) -> tuple[str, Path]:
    name, sign, folder = given.partition("=")
    if not sign or not name.isalnum():
        raise SystemExit(f"--language {given}: say NAME=DIR, the name in letters.")
    return name, Path(folder)


if __name__ == "__main__":
    main()
