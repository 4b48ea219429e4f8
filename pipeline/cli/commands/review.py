"""`clearance review` and `clearance review-user`: the review page, and who may sign in to it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json, RecordOption, SecondPerson
from pipeline.cli.output import print_json, print_text


class PageRole(StrEnum):
    """What a person may do on the review page; each role includes those before it."""

    reader = "reader"
    reviewer = "reviewer"
    approver = "approver"


@handle_exceptions
def review(
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT_OR_SCAN",
            help="The results of a run, a scan directory for its latest, or s3://BUCKET/PREFIX, "
            "which needs --record.",
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=65535,
            help="The port; 8417 if it is free, else any.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(metavar="H", help="The address to listen on; any but loopback needs --users."),
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
        typer.Option(
            metavar="NAME", help="A further host name under which browsers may request the page."
        ),
    ] = None,
    reasons: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Reasons to pick from, as configs/reasons.yaml."),
    ] = None,
    filters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where filters are saved; beside the record by default."),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address without opening a browser.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Serve the review page: look at rows side by side with works, and decide."""
    from dataclasses import asdict

    from pipeline.review.serve import Served, ServeOptions, serve

    def announce(served: Served) -> None:
        if as_json:
            print_json(asdict(served))
        else:
            for sentence in served.sentences():
                print_text(sentence)
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
            reasons=reasons,
            filters=filters,
        ),
        announce,
    )
    return EXIT_OK


@handle_exceptions
def review_user(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file of people; created if it is missing.")
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name, as the record will show it.")
    ],
    role: Annotated[PageRole, typer.Option(help="What they may do.")],
    as_json: Json = False,
) -> int:
    """Let a person sign in to the review page; asks for the password, or reads it from stdin."""
    from pipeline.review.access.people import Role, set_person

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    new = set_person(file, name, Role(role.value), password)
    if as_json:
        print_json({"file": str(file), "name": name, "role": role.value, "new": new})
    else:
        print_text(
            f"{name} may sign in as {role.value}."
            if new
            else f"{name} is now {role.value}, with this password."
        )
    return EXIT_OK
