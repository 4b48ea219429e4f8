"""The explanation of a row, printed in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.core.records import Band, Outcome
from pipeline.core.wording.terms import (
    BANDS,
    OUTCOMES,
    SUPPRESSED,
    capitalized,
    count,
    passage_location,
    percent,
    risk_in_words,
    risk_number,
    value_in_words,
)
from pipeline.core.wording.visible import visible
from pipeline.report.card import STEP_TITLES
from pipeline.report.overlap import MEASURES
from pipeline.stages import Measure, stage_title

BAND_STYLES: Mapping[str, str] = {
    Band.ESCALATE: "bold red",
    Band.REVIEW: "bold yellow",
    Band.INFO: "cyan",
    Band.PARTLY_SCREENED: "magenta",
    Band.NOT_SCREENED: "magenta",
    Band.NO_MATCH: "",
}
BAR_WIDTH = 30
EXCERPT_CHARACTERS = 300


def shown(text: object, style: str = "") -> Text:
    """Text from a file or a name: no markup in it, nothing that could act on the terminal."""
    return Text(visible(str(text)), style=style, overflow="fold")


def band_text(band: str) -> Text:
    """A band's title in its colour; an unknown one as it is."""
    known = band in list(Band)
    return shown(BANDS[Band(band)] if known else band, BAND_STYLES.get(band, ""))


def print_explanation(explanation: Mapping[str, Any], console: Console) -> None:
    """Prints what `pipeline.report.explain.explain` gives."""
    console.print(shown(explanation["asset_path"], "bold"))
    matches = explanation["matches"]
    counted = [match for match in matches if not match["suppressed"]]
    added = counted[0]["contributions"] if counted else {}
    risk = explanation["risk"]
    words = risk_in_words(
        risk,
        identical="identical_file" in added,
        evidence=bool(counted),
        counted=any(added.values()),
    )
    if matches and not counted:
        words = "no figure, because every match is suppressed"
    said = f"risk {risk_number(risk)}: {words}" if risk is not None else f"risk: {words}"
    console.print(Text.assemble(band_text(explanation["band"]), f"  {said}"))
    _print_facts(explanation, console)
    console.print()
    console.print(shown(explanation["reasons"]))
    _heading("What each stage said", console)
    _print_outcomes(explanation["outcomes"], console)
    for match in matches:
        _print_match(match, console)


def _heading(text: str, console: Console) -> None:
    console.print()
    console.print(shown(text, "bold"))


def _indented(item: Any, console: Console) -> None:
    console.print(Padding(item, (0, 0, 0, 2)))


def _print_facts(explanation: Mapping[str, Any], console: Console) -> None:
    run = explanation["run"]
    facts = [
        explanation["format"] or explanation["kind"],
        f"{explanation['size']:,} bytes" if explanation["size"] is not None else "size unknown",
        f"SHA-256 {explanation['asset_id']}" if explanation["asset_id"] else "not read",
        f"compared with {count(explanation['works_compared'] or 0, 'work')}",
        f"index version {run['index_version']}",
        f"run {run['run_id']}",
    ]
    console.print(shown(", ".join(str(fact) for fact in facts), "dim"))


def _print_outcomes(outcomes: Sequence[Mapping[str, Any]], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for outcome in outcomes:
        known = outcome["outcome"] in list(Outcome)
        said = OUTCOMES[Outcome(outcome["outcome"])] if known else outcome["outcome"]
        text = shown(said, "" if outcome["outcome"] in ("matched", "no_match") else "dim")
        if outcome["detail"]:
            text.append(f": {visible(outcome['detail'])}")
        for figure in outcome["figures"]:
            text.append(f"\n{_figure(figure)}", "dim")
        table.add_row(shown(capitalized(outcome["title"])), text)
    _indented(table, console)


def _figure(figure: Mapping[str, Any]) -> str:
    measure = Measure(figure["name"], "str", "match", figure["unit"], figure["description"])
    value = value_in_words(figure["value"], measure)
    return visible(f"{figure['description'].rstrip('.')}: {value}")


def _print_match(match: Mapping[str, Any], console: Console) -> None:
    _heading(f"Match {match['rank']}: “{match['title']}” ({match['work_id']})", console)
    held = ", ".join(text for text in (match["rightsholder"], match["rights"]) if text)
    if held:
        _indented(shown(held), console)
    if match["suppressed"]:
        _indented(shown(f"{capitalized(SUPPRESSED)}.", "bold"), console)
    if match["identical_file"]:
        _indented(shown("The file is, byte for byte, a registered file of this work."), console)
    if match["likeness_only"]:
        _indented(
            shown("Likeness only: no stage found copied material, so it reaches no higher than "
                  "needs review."), console,
        )  # fmt: skip
    if match["steps"]:
        _indented(_waterfall(match["steps"]), console)
    else:
        _indented(shown(f"Risk {risk_number(match['risk'])}"), console)
    overlap = match["overlap"]
    if overlap:
        _indented(shown(overlap["sentence"]), console)
        if overlap["not_drawn"]:
            _indented(shown(f"It can’t be drawn: {overlap['not_drawn']}."), console)
    for figure in match["figures"]:
        if not (overlap and figure["name"] in MEASURES):
            _indented(shown(_figure(figure)), console)
    for stage, file in match["work_files"].items():
        _indented(
            shown(f"{capitalized(stage_title(stage))}: the work's file {file}", "dim"), console
        )
    for passage in match["passages"]:
        _print_passage(passage, console)


def _waterfall(steps: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each step; a bar shows where on the scale of log-odds it begins and ends."""
    ends = [step["log_odds"] for step in steps]
    low, high = min(ends) - 1.0, max(*ends, min(ends) + 4.0)
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(justify="right")
    before = low
    for step in steps:
        whole = step["name"] in ("prior", "total")
        left, right = sorted(
            math.floor((end - low) / (high - low) * BAR_WIDTH + 0.5)
            for end in (low if whole else before, step["log_odds"])
        )
        bar = Text(" " * left)
        bar.append("█" * max(1, right - left), "dim" if step["name"] == "prior" else "cyan")
        bar.truncate(BAR_WIDTH + 1, pad=True)
        title = STEP_TITLES.get(step["name"]) or capitalized(stage_title(step["name"]))
        table.add_row(
            shown(title, "bold" if step["name"] == "total" else ""),
            bar,
            "" if whole else f"{step['added']:+.2f}",
            f"risk {risk_number(step['risk'])}",
        )
        before = step["log_odds"]
    return table


def _print_passage(passage: Mapping[str, Any], console: Console) -> None:
    head = (
        f"{count(passage['words'], 'word')} in common ({percent(passage['identity'])}): "
        f"characters {passage['asset_start']:,}–{passage['asset_end']:,} of the asset, "
        f"{passage['work_start']:,}–{passage['work_end']:,} of {passage['work_file']}"
    )
    _indented(shown(head), console)
    for side in ("asset", "work"):
        # A run of an earlier release has no such columns.
        stands = passage_location(passage.get(f"{side}_page"), passage.get(f"{side}_scene"))
        if stands:
            _indented(shown(f"In the {side}: {stands}", "dim"), console)
    for label in ("asset", "work"):
        pieces = passage[f"{label}_pieces"]
        if pieces is not None:
            console.print(Padding(_marked(label, pieces), (0, 0, 0, 4)))


def _marked(label: str, pieces: Sequence[Mapping[str, Any]]) -> Text:
    """One side of a passage; words that only this side has are underlined."""
    line = shown(f"{label}: “", "dim")
    room = EXCERPT_CHARACTERS
    for piece in pieces:
        words = " ".join(piece["text"].split())
        if not words and not piece["text"]:
            continue
        text = (
            (" " if piece["text"][:1].isspace() else "")
            + words
            + (" " if words and piece["text"][-1:].isspace() else "")
        )
        line.append_text(shown(text[:room], "dim" if piece["shared"] else "underline"))
        room -= len(text)
        if room < 0:
            break
    line.append_text(shown(" …”" if room < 0 else "”", "dim"))
    return line
