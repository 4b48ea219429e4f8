"""`clearance review` and `clearance review-user`: the review page, and who may sign in to it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands.exit_statuses import EXIT_OK
from pipeline.cli.commands.options import Json, RecordOption, SecondPerson
from pipeline.cli.commands.output import emit, say
from pipeline.cli.commands.reported import reported


class PageRole(StrEnum):
    """What a person may do on the review page; each may what those before it may."""

    reader = "reader"
    reviewer = "reviewer"
    approver = "approver"


@reported
def review(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT_OR_SCAN", help="The results of a run, or a scan directory for its latest."
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=65535,
            help="The port; if not given, 8417 if it is free, or else any.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="H", help="The address to listen on; others than loopback need --users."
        ),
    ] = "127.0.0.1",
    users: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may sign in, as clearance review-user writes it."),
    ] = None,
    record: RecordOption = None,
    second_person: SecondPerson = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Who decides; your login name if not given."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that browsers may ask for the page under."),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address and open no browser.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Serve the review page: look at rows side by side with works, and decide."""
    from dataclasses import asdict

    from pipeline.review.serve import Served, ServeOptions, serve

    def tell(served: Served) -> None:
        if as_json:
            emit(asdict(served))
        else:
            for sentence in served.sentences():
                say(sentence)
        sys.stdout.flush()

    bands = None
    if second_person is not None:
        from pipeline.decisions.events import parse_bands

        bands = parse_bands(second_person)
    serve(
        ServeOptions(
            out,
            port=port,
            host=host,
            users=users,
            record=record,
            second_person=bands,
            name=name,
            open_browser=not no_open,
            allow_hosts=tuple(allow_host or ()),
        ),
        tell,
    )
    return EXIT_OK


@reported
def review_user(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file of people; made if it is not there.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the record will have it.")],
    role: Annotated[PageRole, typer.Option(help="What they may do.")],
    as_json: Json = False,
) -> int:
    """Let a person sign in to the review page; the password is asked for, or read from stdin."""
    from pipeline.review.access.people import Role, set_person

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    new = set_person(file, name, Role(role.value), password)
    if as_json:
        emit({"file": str(file), "name": name, "role": role.value, "new": new})
    else:
        say(
            f"{name} may sign in as {role.value}."
            if new
            else f"{name} is {role.value} now, with this password."
        )
    return EXIT_OK
