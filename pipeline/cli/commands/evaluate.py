"""`clearance evaluate`: the quality of screening on labelled pairs; fits a calibration to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import ConfigFile, IndexOption, Json
from pipeline.cli.output import print_error, print_json, stderr, stdout


@handle_exceptions
def evaluate(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELLED",
            help="A CSV of labelled pairs: asset, work_id (blank for a distractor), copy.",
        ),
    ],
    index: IndexOption,
    config: ConfigFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Where the metrics, pairs and plots are written."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Fit a calibration to the pairs and write it here."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Measure screening on your own labelled pairs, and fit a calibration to them."""
    from pipeline.cli.terminal.evaluation import print_evaluation
    from pipeline.evaluation.evaluate import evaluate as run
    from pipeline.runtime.progress import console_progress

    with console_progress(stderr()) as progress:
        evaluation = run(
            labels, index, config=config, out=out, calibrate=calibrate, progress=progress
        )
    if as_json:
        print_json(evaluation.summary())
    else:
        print_evaluation(evaluation, stdout())
    if evaluation.refused:
        print_error(evaluation.refused)
        return EXIT_WRONG
    return EXIT_OK
