"""The copy benchmark's results as Markdown."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.copy_edits import EDITS
from benchmarks.copy_figures import PRECISIONS
from benchmarks.copy_screening import Answer
from benchmarks.copy_set import CopySet, Pool

OURS = "Clearance"


def set_in_words(pool: Pool, copies: CopySet, answer: Answer, options: argparse.Namespace) -> str:
    """What was measured on, in one paragraph."""
    left_out = "; ".join(f"{count} {why}" for why, count in sorted(pool.left_out.items()))
    copied = int((answer.truth >= 0).sum())
    fewer = len(copies.works) < options.works or len(copies.queries) < options.queries // 2 * 2
    return (
        f"{pool.read:,} pictures could be used{f' ({left_out} left out)' if left_out else ''}, "
        f"{pool.merged} of them of a work that another shows: {len(pool.works):,} works. On the "
        f"side {options.split!r}, seed {options.seed}: {len(copies.works)} registered, "
        f"{len(copies.distractors)} distractors, {len(copies.grounds)} laid behind insets; "
        f"{len(copies.queries)} queries, {copied} of them copies, over {len(EDITS)} edits; "
        f"{len(answer.clean.rows)} clean distractors."
        + (
            f" Asked for were {options.works} works and {options.queries} queries, for which there "
            "are too few pictures."
            if fewer
            else ""
        )
    )


def in_markdown(words: str, results: dict[str, Any]) -> str:
    """The results as a part of benchmarks/README.md."""
    flags = [
        (name, results[key])
        for name, key in (("edited", "strangers_edited"), ("clean", "strangers_clean"))
    ]
    pairs = results["unrelated_pairs"]
    parts = [
        words,
        "Every edit:",
        methods_table(results["methods"]),
        f"Without {', '.join(name for name, one in EDITS.items() if one.beyond)}:",
        methods_table(results["methods_listed_edits"]),
        f"{OURS} by edit; recall at the threshold of precision 0.99 over all edits "
        f"(risk {results['threshold_at_0.99']:.4f}), bands of the pair with the true work:",
        edits_table(results["edits"]),
        "Evidence by stage:",
        markdown(
            ["stage", "copies it had evidence of", "unrelated pairs it had evidence of", "by way"],
            [
                [f"`{name}`", f"{one['share']:.3f}", f"{one['unrelated']:,}", _ways(one)]
                for name, one in results["evidence"].items()
            ],
        ),
        "Pictures of no registered work, flagged in 10,000:",
        markdown(
            ["distractors", "screened", "escalate", "review", "info"],
            [
                [name, one["assets"], *(f"{v:.1f}" for v in one["per_10000"].values())]
                for name, one in flags
            ],
        ),
        f"Unrelated pairs compared: {pairs['compared']:,}. Of them {pairs['escalate']} reached "
        f"`escalate`, {pairs['review']} `review`, {pairs['info']} `info`. At 95 % confidence, the "
        "pairs taken as independent, at most "
        f"{pairs['at_most_above_info_per_100000']:.2f} in 100,000 are above `info`.",
    ]
    if "cost" in results:
        rows = [
            [
                {"drop": "edited, half of them copies", "clean": "clean"}[drop],
                one["pictures"],
                f"{one['times_as_fast']:.2f} ({one['lowest']:.2f}–{one['highest']:.2f})",
                f"{one['ours_ms']:.1f}",
                f"{one['bare_ms']:.1f}",
            ]
            for drop, one in results["cost"].items()
        ]
        head = ["assets", "pictures", "times as fast (min–max)", "ours, ms", "ViT-B-32, ms"]
        cores = os.cpu_count()
        parts += [
            "Screening of an asset, from its file to its row, beside a bare open_clip ViT-B-32 "
            f"encode loop over the decoded pictures, in turns, on {cores} cores:",
            markdown(head, rows),
        ]
    return "\n\n".join(parts) + "\n"


def _ways(stage: Mapping[str, Any]) -> str:
    ways = [
        item for name, one in stage.items() if name.endswith("found_by") for item in one.items()
    ]
    return "; ".join(f"{way}: {count}" for way, count in sorted(ways, key=lambda way: -way[1]))


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; numbers as they are given."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def methods_table(methods: Mapping[str, Mapping[str, float]]) -> str:
    """The methods side by side."""
    head = ["method", "µAP", *(f"recall at precision {p:.2f}" for p in PRECISIONS)]
    rows = [
        [name, f"{one['map']:.3f}", *(f"{one[f'recall_at_{p:.2f}']:.3f}" for p in PRECISIONS)]
        for name, one in methods.items()
    ]
    return markdown(head, rows)


def edits_table(lines: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each edit."""
    bands = ("escalate", "review", "info", "none")
    head = [
        "edit", "copies", "µAP", "recall", "right work first", *bands[:3], "not found",
        "distractors above info",
    ]  # fmt: skip
    rows = [
        [
            edit,
            line["copies"],
            f"{line['map']:.3f}",
            f"{line['recall']:.2f}",
            f"{line['first']:.2f}",
            *(f"{line['bands'].get(band, 0):.2f}" for band in bands),
            f"{line['strangers_flagged']} of {line['strangers']}",
        ]
        for edit, line in lines.items()
    ]
    return markdown(head, rows)
