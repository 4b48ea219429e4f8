"""The passage benchmark's results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.copy_report import markdown
from benchmarks.passage_planting import WAYS
from pipeline.core.records import Band

OURS = "Clearance"

MEASURES = ["PlagDet", "precision", "recall", "granularity", "micro PlagDet", "found"]


def _measures(line: Mapping[str, Any]) -> list[str]:
    return [
        f"{line['plagdet']:.3f}",
        f"{line['precision']:.3f}",
        f"{line['recall']:.3f}",
        f"{line['granularity']:.2f}",
        f"{line['micro_plagdet']:.3f}",
        f"{line['found']} of {line['passages']}",
    ]


def part_in_markdown(results: Mapping[str, Any], *, title: str) -> str:
    """The tables of one set of texts."""
    clean = results["clean"]
    parts = [
        f"### {title}",
        results["set"],
        "Precision and recall are macro averages over characters (each report, and each passage, "
        "counts the same), as is the PlagDet made of them; micro PlagDet counts all characters "
        "together.",
        markdown(
            ["method", *MEASURES, "clean scripts with a report"],
            [
                [
                    name,
                    *_measures(line),
                    f"{clean[name]['scripts_with_a_report']} of {clean[name]['scripts']}",
                ]
                for name, line in results["methods"].items()
            ],
        ),
        f"{OURS} by disguise:",
        _table("disguise", results["lines"]["ways"], results["lines_of_windows"]["ways"]),
        f"{OURS} by length:",
        _table("words", results["lines"]["lengths"], results["lines_of_windows"]["lengths"]),
    ]
    if results["lines"]["groups"]:
        parts += [
            f"{OURS} on parts of the set:",
            _table("part", results["lines"]["groups"], results["lines_of_windows"]["groups"]),
        ]
    parts += [
        f"Found by {OURS}, by disguise and length:",
        _cells(results["lines"]["cells"]),
        "Band of the scripts with passages, by the length of those:",
        _bands(results["bands"]),
        "Disguised characters reported as such:",
        _obfuscation(results),
        "Reports of what was not planted, a page taken as 250 words:",
        markdown(
            ["scripts", "method", "words", "reports", "in 100 pages"],
            [
                [where, name, f"{line['words']:,}", line["reports"], f"{line['per_100_pages']:.2f}"]
                for where, key in (("clean", "clean"), ("with passages", "false"))
                for name, line in results[key].items()
            ],
        ),
        _clean_bands(results),
    ]
    return "\n\n".join(parts)


def _table(
    first: str, lines: Mapping[str, Mapping[str, Any]], windows: Mapping[str, Mapping[str, Any]]
) -> str:
    return markdown(
        [first, *MEASURES, "found by windows, merged"],
        [
            [name, *_measures(line), f"{windows[name]['found']} of {windows[name]['passages']}"]
            for name, line in lines.items()
        ],
    )


def _cells(cells: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    lengths = sorted({int(length) for line in cells.values() for length in line})
    return markdown(
        ["disguise", *(f"{length:,}" for length in lengths)],
        [
            [
                way,
                *(
                    f"{cell['found']}/{cell['passages']}" if (cell := line.get(str(n))) else ""
                    for n in lengths
                ),
            ]
            for way, line in cells.items()
        ],
    )


def _bands(bands: Mapping[str, Mapping[str, int]]) -> str:
    order = [str(band) for band in Band]
    names = sorted({name for line in bands.values() for name in line}, key=order.index)
    return markdown(
        ["words", *names],
        [[f"{int(n):,}", *(line.get(name, 0) for name in names)] for n, line in bands.items()],
    )


def _obfuscation(results: Mapping[str, Any]) -> str:
    if not results["tells_obfuscation"]:
        return "No table of the run has a column for it."
    rows = [
        [way, one["passages"], one["found"], one["reported"]]
        for way, one in results["obfuscation"].items()
        if WAYS[way].obfuscates
    ]
    others = [o for way, o in results["obfuscation"].items() if not WAYS[way].obfuscates]
    rows.append(
        [
            "all others, where it would be false",
            *(sum(one[key] for one in others) for key in ("passages", "found", "reported")),
        ]
    )
    return markdown(["disguise", "passages", "found", "reported as disguised"], rows)


def _clean_bands(results: Mapping[str, Any]) -> str:
    bands = dict(results["clean_bands"])
    flagged = bands.pop("flagged")
    total = sum(bands.values())
    by_band = ", ".join(f"{count} `{band}`" for band, count in bands.items())
    return f"Of {total} clean scripts {flagged} are flagged above `info` ({by_band})."


def natural_in_markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """The bands of natural pairs."""
    return "\n\n".join(
        [
            "### Natural pairs",
            "Band of the pair only; the shares are of each text's characters.",
            markdown(
                ["screened", "registered", "same work", "band", "risk", "passages",
                 "share of the screened", "share of the registered"],
                [
                    [
                        line["query"],
                        line["reference"],
                        "yes" if line["label"] == "same_work" else "no",
                        line["band"],
                        "" if line["risk"] is None else f"{line['risk']:.4f}",
                        line["passages"],
                        f"{line['query_share']:.2f}",
                        f"{line['reference_share']:.2f}",
                    ]
                    for line in lines
                ],
            ),
        ]
    )  # fmt: skip


def speed_in_markdown(speed: Mapping[str, Any]) -> str:
    """Words a second by the size of the index."""
    return "\n\n".join(
        [
            "### Speed by the size of the index",
            speed["set"],
            markdown(
                ["words in the index", "words/s a core", "datasketch loop, words/s",
                 "times as fast (min–max)", "fingerprint", "search", "time beside the first",
                 "index on disk", "memory"],
                [
                    [
                        f"{line['words']:,}",
                        *(
                            [
                                f"{line['words_per_second']:,.0f}",
                                f"{line['bare_words_per_second']:,.0f}",
                                f"{line['times_as_fast']:.2f} ({line['lowest']:.2f}–"
                                f"{line['highest']:.2f})",
                                f"{line['fingerprint_words_per_second']:,.0f}",
                                f"{line['search_words_per_second']:,.0f}",
                                f"{line['time_beside_first']:.2f}",
                                f"{line['index_mib']:,.0f} MiB",
                                f"{line['peak_mib']:,.0f} MiB",
                            ]
                            if "fault" not in line
                            else [line["fault"], *[""] * 7]
                        ),
                    ]
                    for line in speed["sizes"]
                ],
            ),
        ]
    )  # fmt: skip
