"""`clearance report`: one card of a stored run as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json, Results
from pipeline.cli.output import print_json, print_text


@handle_exceptions
def report(
    out: Results,
    asset: Annotated[
        str,
        typer.Option(
            "--asset",
            metavar="PATH",
            help="Its path in the drop, the end of it, or its SHA-256's beginning.",
        ),
    ],
    file: Annotated[
        Path,
        typer.Option("--out", metavar="FILE.html", help="A new file; nothing is overwritten."),
    ],
    as_json: Json = False,
) -> int:
    """Write the card of one file as a page of its own, to hand on or to print."""
    from dataclasses import asdict

    from pipeline.drops.places import place
    from pipeline.report.card_file import write_card
    from pipeline.results.files import results_folder

    written = write_card(results_folder(place(out)), asset, file)
    if as_json:
        print_json(asdict(written))
        return EXIT_OK
    for note in written.notes:
        print_text(note)
    print_text(f"Wrote {written.file}.")
    return EXIT_OK
