"""`clearance explain`: why a row of the risk table has its band and risk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json, Results
from pipeline.cli.output import print_json, print_text, stdout


@handle_exceptions
def explain(
    out: Results,
    asset: Annotated[
        str,
        typer.Argument(
            metavar="ASSET", help="Its path in the drop, the end of it, or its SHA-256's beginning."
        ),
    ],
    overlay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Only draw where the work appears in the asset, from the asset's own file.",
        ),
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(metavar="WORK_ID", help="With --overlay: another work than the row's."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Explain a row: each stage's outcome and contribution, each match's evidence."""
    from pipeline.drops.places import place
    from pipeline.results.files import results_folder

    if work is not None and overlay is None:
        raise typer.BadParameter("--work goes with --overlay FILE.png")
    results = results_folder(place(out))
    if overlay is not None:
        from dataclasses import asdict

        from pipeline.report.explain_overlay import write_overlay

        drawn = write_overlay(results, asset, overlay, work)
        if as_json:
            print_json(asdict(drawn))
        else:
            print_text(f"{drawn.sentence} {drawn.note}".rstrip())
            print_text(f"Wrote {drawn.file}.")
        return EXIT_OK
    from pipeline.report.explain import explained_row, explanation

    view = explained_row(results, asset)
    if as_json:
        print_json(explanation(view))
        return EXIT_OK
    from pipeline.cli.terminal.explain import print_row

    print_row(view, stdout())
    return EXIT_OK
