"""`clearance explain`: why a row of the risk table is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands.exit_statuses import EXIT_OK
from pipeline.cli.commands.options import Json
from pipeline.cli.commands.output import emit, say, stdout
from pipeline.cli.commands.reported import reported


@reported
def explain(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="The results of a run: a folder, or s3://BUCKET/PREFIX."
        ),
    ],
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
            help="Draw where the work lies in the asset, from the asset's own file, and stop.",
        ),
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(metavar="WORK_ID", help="With --overlay: another work than the row's own."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Explain a row: each stage's outcome and contribution, each match's evidence."""
    from pipeline.drops.places import place

    if work is not None and overlay is None:
        raise typer.BadParameter("--work goes with --overlay FILE.png")
    results = place(out)
    if overlay is not None:
        from dataclasses import asdict

        from pipeline.report.explain_overlay import write_overlay

        done = write_overlay(results, asset, overlay, work)
        if as_json:
            emit(asdict(done))
        else:
            say(f"{done.sentence} {done.note}".rstrip())
            say(f"Wrote {done.file}.")
        return EXIT_OK
    from pipeline.report.explain import explained_row, explanation

    view = explained_row(results, asset)
    if as_json:
        emit(explanation(view))
        return EXIT_OK
    from pipeline.cli.terminal.explain import print_row

    print_row(view, stdout())
    return EXIT_OK
