"""`clearance doctor`: what is installed, and whether it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import Json
from pipeline.cli.output import print_json, print_text


@handle_exceptions
def doctor(
    index: Annotated[
        Path | None,
        typer.Option("--index", metavar="IDX", help="A reference index to open, with its model."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="OUT", help="A folder in which results are to be written."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Check the installation: extras, model, workers, disk, permissions; a line each."""
    from dataclasses import asdict

    from pipeline.cli.installation import Finding, State, findings

    done: list[Finding] = []
    for finding in findings(index, out):
        done.append(finding)
        if not as_json:
            print_text(f"{finding.state:8} {finding.subject}: {finding.detail}")
    faults = [finding for finding in done if finding.state is State.FAULT]
    if as_json:
        print_json({"checks": [asdict(finding) for finding in done], "faults": len(faults)})
    return EXIT_WRONG if faults else EXIT_OK
