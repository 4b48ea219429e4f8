"""`clearance evaluate`: how well screening does on labelled pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.commands.options import ConfigFile, IndexOption, Json
from pipeline.cli.commands.output import complain, emit, stderr, stdout
from pipeline.cli.commands.reported import reported


@reported
def evaluate(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELLED",
            help="A CSV of labelled pairs: asset, work_id (blank for a copy of nothing), copy.",
        ),
    ],
    index: IndexOption,
    config: ConfigFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Where figures, pairs and pictures are written."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Fit a calibration to the pairs and write it here."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Say how well screening does on labelled pairs of your own; fit a calibration to them."""
    from pipeline.cli.terminal.evaluation import print_evaluation
    from pipeline.evaluation.evaluate import evaluate as run
    from pipeline.runtime.progress import console_progress

    with console_progress(stderr()) as progress:
        done = run(labels, index, config=config, out=out, calibrate=calibrate, progress=progress)
    if as_json:
        emit(done.summary())
    else:
        print_evaluation(done, stdout())
    if done.refused:
        complain(done.refused, (), False)
        return EXIT_WRONG
    return EXIT_OK
