"""`clearance index`: make, fill, search, change and verify a reference index of protected works."""

from __future__ import annotations

import typer

from pipeline.cli.commands.index.changing import index_remove, index_remove_file, index_rename
from pipeline.cli.commands.index.reading import index_find, index_list, index_show, index_verify
from pipeline.cli.commands.index.registering import index_add, index_create
from pipeline.cli.commands.index.syncing import index_sync

app = typer.Typer(
    name="index",
    help="Make and keep a reference index of protected works.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
# Help lists them in this order.
for name, command in (
    ("create", index_create),
    ("add", index_add),
    ("sync", index_sync),
    ("list", index_list),
    ("find", index_find),
    ("show", index_show),
    ("rename", index_rename),
    ("remove", index_remove),
    ("remove-file", index_remove_file),
    ("verify", index_verify),
):
    app.command(name)(command)
