"""Lists of work ids in a file: one a line, or the column `work_id` of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reference_index.contents import id_hint
from reference_index.errors import ManifestError
from reference_index.manifest_file import EXCEL, ManifestFormat, read_rows, row_problem
from reference_index.manifest_text import decoded, printable
from reference_index.store import ReferenceIndex

_TEXTS = (".csv", ".tsv", ".txt")
_TABLE = ManifestFormat(
    name="list of works",
    contents="works",
    required=("work_id",),
    suffixes=(*_TEXTS, ".jsonl", ".ndjson", *EXCEL),
)

_HINTS = 20
"""Unknown ids for which the nearest is looked up, which takes a while in a large index."""


def read_ids(path: Path) -> dict[int, str]:
    """The work ids that a file lists, by line. Blank lines are passed over.

    A file with the suffix of a manifest and a column `work_id` is read as a manifest is (its other
    columns are ignored), any other as one id a line.

    Raises:
        ManifestError: if it can't be read, or lists no ids.
    """
    name, suffix = printable(str(path)), path.suffix.lower()
    if suffix in _TABLE.suffixes and suffix not in _TEXTS:
        return _ids_of_table(path)
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise ManifestError(f"{name} can't be read ({fault.strerror}).") from None
    text, _ = decoded(data, name, None, with_options=False)
    lines = text.splitlines()
    if suffix in _TEXTS and lines and "work_id" in lines[0]:
        return _ids_of_table(path)
    ids = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    if not ids:
        raise ManifestError(f"{name} lists no ids.")
    return ids


def check_ids(ids: Mapping[int, str], path: Path, index: ReferenceIndex) -> None:
    """Checks that an index has every work that a file lists.

    Raises:
        ManifestError: if it lacks some; each is in `problems`, with its line.
    """
    known = {work.work_id for work in index.works}
    unknown = {line: work_id for line, work_id in ids.items() if work_id not in known}
    problems: list[str] = []
    for line, work_id in unknown.items():
        hint = id_hint(work_id, known if len(problems) < _HINTS else (), index.aliases)
        problems.append(
            f"line {line} of {printable(path.name)}: no work {printable(work_id)!r}{hint}."
        )
    if problems:
        raise ManifestError(
            f"The index {index.path} does not have {len(problems)} of the {len(ids)} works that "
            f"{printable(str(path))} lists; nothing was removed.",
            problems,
        )


def _ids_of_table(path: Path) -> dict[int, str]:
    ids: dict[int, str] = {}
    problems: list[str] = []
    rows = read_rows(path, _TABLE).rows
    for row in rows:
        work_id = row.values.get("work_id", "").strip()
        faults = row.faults or ([] if work_id else ["work_id is missing"])
        if faults:
            problems.append(row_problem(path, row, faults))
        ids[row.line] = work_id
    if problems:
        raise ManifestError(
            f"{len(problems)} of {len(rows)} rows of {printable(path.name)} can't be used; nothing "
            "was removed.",
            problems,
        )
    return ids
