"""`clearance explain` in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.cli.terminal.tables import band_text, pairs, print_line, safe_text
from pipeline.core.records import Outcome
from pipeline.core.wording.text import SUPPRESSED, capitalized, count, format_title, risk_number
from pipeline.report.excerpts import Piece
from pipeline.report.row_view import Bar, Figure, MatchView, OutcomeView, PassageView, RowView
from pipeline.stages import stage_title

BAR_WIDTH = 30
EXCERPT_CHARACTERS = 300


def print_row(view: RowView, console: Console) -> None:
    """Prints a row with all its evidence."""
    print_line(console, view.path, "bold")
    risk = "risk" if view.risk is None else f"risk {risk_number(view.risk)}"
    console.print(Text.assemble(band_text(view.band), f"  {risk}: {view.risk_words}"))
    _print_facts(view, console)
    console.print()
    print_line(console, " ".join(view.reasons))
    _print_heading("Outcome of each stage", console)
    outcomes = pairs((outcome.title, _outcome_text(outcome)) for outcome in view.outcomes)
    console.print(Padding(outcomes, (0, 0, 0, 2)))
    for match in view.matches:
        _print_match(match, console)


def _print_heading(text: str, console: Console) -> None:
    console.print()
    print_line(console, text, "bold")


def _print_facts(view: RowView, console: Console) -> None:
    row = view.row
    facts = [
        format_title(row.get("format") or row["kind"]),
        f"{row['size']:,} bytes" if row.get("size") is not None else "size unknown",
        f"SHA-256 {row['asset_id']}" if row["asset_id"] else "not read",
        f"compared with {count(row.get('works_compared') or 0, 'work')}",
        f"index version {row.get('index_version')}",
        f"run {row.get('run_id')}",
    ]
    print_line(console, ", ".join(str(fact) for fact in facts), "dim")


def _outcome_text(outcome: OutcomeView) -> Text:
    ran = outcome.outcome in (Outcome.MATCHED, Outcome.NO_MATCH)
    text = safe_text(outcome.words, "" if ran else "dim")
    if outcome.detail:
        text.append(f": {outcome.detail}")
    for figure in outcome.figures:
        text.append(f"\n{_figure(figure)}", "dim")
    return text


def _figure(figure: Figure) -> str:
    return f"{figure.label}: {figure.text}"


def _print_match(match: MatchView, console: Console) -> None:
    work = match.work
    _print_heading(f"Match {match.rank}: “{work.title}” ({work.work_id})", console)
    for text, style in _match_lines(match):
        print_line(console, text, style, indent=2)
    if match.steps:
        console.print(Padding(_waterfall(match.waterfall.bars), (0, 0, 0, 2)))
    else:
        print_line(console, f"Risk {risk_number(match.risk)}", indent=2)
    if match.overlap:
        print_line(console, match.overlap_sentence, indent=2)
        if match.not_drawn:
            print_line(console, f"It can’t be drawn: {match.not_drawn}.", indent=2)
    for figure in match.other_figures:
        print_line(console, _figure(figure), indent=2)
    for stage, file in match.work_files.items():
        title = capitalized(stage_title(stage))
        print_line(console, f"{title}: the work's file {file}", "dim", indent=2)
    for passage in match.passages:
        print_passage(passage, console)


def _match_lines(match: MatchView) -> Iterable[tuple[str, str]]:
    holder = ", ".join(text for text in (match.work.rightsholder, match.work.rights) if text)
    if holder:
        yield holder, ""
    if match.suppressed:
        yield f"{capitalized(SUPPRESSED)}.", "bold"
    if match.identical_file:
        yield "The file is, byte for byte, a registered file of this work.", ""
    if match.likeness_only:
        yield (
            "Likeness only: no stage found copied material, so it reaches no higher than needs "
            "review.",
            "",
        )


def _waterfall(bars: Sequence[Bar]) -> Table:
    """A line for each bar, on an axis of log-odds of `BAR_WIDTH` characters."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column()
    lines.add_column(no_wrap=True)
    lines.add_column(justify="right")
    lines.add_column(justify="right")
    for bar in bars:
        left = round(bar.left / 100 * BAR_WIDTH)
        right = round((bar.left + bar.width) / 100 * BAR_WIDTH)
        drawn = Text(" " * left)
        drawn.append("█" * max(1, right - left), "dim" if bar.name == "prior" else "cyan")
        drawn.truncate(BAR_WIDTH + 1, pad=True)
        title = safe_text(bar.title, "bold" if bar.name == "total" else "")
        lines.add_row(title, drawn, bar.added, f"risk {bar.after}")
    return lines


def print_passage(passage: PassageView, console: Console) -> None:
    """Prints a passage with the beginning of both sides, where the texts are kept."""
    print_line(
        console,
        f"{count(passage.words, 'word')} in common ({passage.identity}): characters "
        f"{passage.asset_offsets} of the asset, {passage.work_offsets} of {passage.work_file}",
        indent=2,
    )
    for side, place in (("asset", passage.asset_place), ("work", passage.work_place)):
        if place:
            print_line(console, f"In the {side}: {place}", "dim", indent=2)
    for side, excerpt in (("asset", passage.asset), ("work", passage.work)):
        if excerpt is not None:
            console.print(Padding(_excerpt(side, excerpt.pieces), (0, 0, 0, 4)))


def _excerpt(side: str, pieces: Sequence[Piece]) -> Text:
    """The beginning of one side of a passage; words that only this side has are underlined."""
    line = safe_text(f"{side}: “", "dim")
    room = EXCERPT_CHARACTERS
    for piece in pieces:
        words = " ".join(piece.text.split())
        if not piece.text:
            continue
        text = (
            (" " if piece.text[:1].isspace() else "")
            + words
            + (" " if words and piece.text[-1:].isspace() else "")
        )
        line.append_text(safe_text(text[:room], "dim" if piece.shared else "underline"))
        room -= len(text)
        if room < 0:
            break
    line.append_text(safe_text(" …”" if room < 0 else "”", "dim"))
    return line
