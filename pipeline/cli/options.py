"""Arguments and options that several commands share, with their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json",
        help="Log JSON lines (counts and ids only) to standard error, and nothing else there.",
    ),
]
Results = Annotated[
    str,
    typer.Argument(
        metavar="OUT",
        help="The results of a run: a folder, s3://BUCKET/PREFIX, or a scan directory for its "
        "latest.",
    ),
]
Index = Annotated[Path, typer.Argument(metavar="IDX", help="The folder of the reference index.")]
IndexOption = Annotated[
    Path, typer.Option("--index", metavar="IDX", help="The folder of the reference index.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A configuration, such as configs/strict.yaml."),
]
RecordOption = Annotated[
    str | None,
    typer.Option(
        "--record",
        metavar="RECORD",
        envvar="CLEARANCE_RECORD",
        help="The record of decisions, if it is not record.sqlite next to the results.",
    ),
]
SecondPerson = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BAND",
        help="Bands whose rows two people decide on: name every one; `none` for no band.",
    ),
]
