"""Reading manifests and folders: every bad row is named with its line, and none is lost."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_index.errors import ManifestError
from reference_index.interface import Work
from reference_index.manifest_file import read_csv
from reference_index.works import folder_as_works, read_manifest

HEADER = "work_id,title,rightsholder,rights,path"


@pytest.fixture
def place(tmp_path):
    for name in ("a.png", "b.png", "été 1.txt", " c.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def manifest(place, text, name="works.csv"):
    path = place / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert caught.value.problems
    return list(caught.value.problems)


def test_good_csv_with_mark_notes_and_a_value_over_two_lines(place):
    path = manifest(
        place,
        f"\ufeff{HEADER},year,source\r\n"
        'w1,"One,\r\nin two lines",Ann,protected,a.png,1921,\r\n'
        "\r\n"
        "w2, Two ,,public_domain,été 1.txt,,x\r\n",
    )
    read = read_manifest(path)
    assert [row.line for row in read.rows] == [2, 5]
    assert read.rows[0].work == Work(
        "w1", "One,\r\nin two lines", "Ann", "protected", {"year": "1921"}
    )
    assert read.rows[1].work == Work("w2", "Two", "", "public_domain", {"source": "x"})
    assert read.rows[1].path == "été 1.txt"
    assert read.rows[1].file == place / "été 1.txt"
    assert read.rows[1].location == "line 5 of works.csv"
    assert (read.problems, read.source) == ((), path)


def test_good_jsonl(place):
    row = {"work_id": "w", "title": "T", "rightsholder": "R", "rights": "own", "path": "a.png"}
    more = {**row, "path": str(place / "b.png"), "pages": 3, "tags": ["x", {"y": 1}], "none": None}
    path = manifest(place, json.dumps(row) + "\n\n" + json.dumps(more) + "\n", "works.jsonl")
    read = read_manifest(path)
    assert [row.line for row in read.rows] == [1, 3]
    assert read.rows[1].file == place / "b.png"
    notes = {"pages": "3", "tags": '["x", {"y": 1}]'}
    assert [row.work.notes for row in read.rows] == [notes, notes]


def test_every_bad_row_is_reported_at_once_with_its_line(place):
    (place / "folder").mkdir()
    path = manifest(
        place,
        "\n".join(
            [
                HEADER,
                "w1,One,Ann,protected,a.png",
                ",One,Ann,protected,b.png",
                "w3,,Ann,,missing.png",
                'w4,"Four\nlines",Ann,protected,folder',
                "w1,Other,Ann,protected,b.png",
                "w1,One,Ann,protected,./a.png",
                "w5,Five,Ann",
                "w6,Six,Ann,protected,b.png,too,many",
            ]
        ).encode()
        + b"\nw7,S\xe9ven,Ann,protected,b.png\n"
        + "w8,Éight,Ann,protected,b.png\n".encode(),
    )
    messages = problems(path)
    assert [problem.split(":")[0] for problem in messages] == [
        f"line {line} of works.csv" for line in (3, 4, 5, 7, 8, 9, 10, 11)
    ]
    for problem, words in zip(
        messages,
        [
            "work_id is missing",
            "title is missing; rights is missing; the file 'missing.png' (relative to works.csv) ",
            "is a folder",
            "title of work 'w1' is 'Other' here and 'One' on line 2",
            "repeats line 2",
            "rights is missing; path is missing",
            "7 values for 5 columns",
            "title is not UTF-8",
        ],
        strict=True,
    ):
        assert words in problem
    with pytest.raises(ManifestError, match=r"^8 of 10 rows of works\.csv can't be used; nothing"):
        read_manifest(path)
    good = read_manifest(path, skip_bad=True)
    assert [row.work.work_id for row in good.rows] == ["w1", "w8"]
    assert list(good.problems) == messages


def test_every_bad_line_of_jsonl(place):
    good = {"work_id": "w", "title": "T", "rightsholder": "R", "rights": "own", "path": "a.png"}
    lines = [
        json.dumps(good).encode(),
        b"{not json}",
        b"[1, 2]",
        json.dumps({**good, "work_id": 7, "path": "b.png"}).encode(),
        b'{"work_id": "w", "work_id": "v", "title": "T", "path": "b.png"}',
        b"[" * 100_000,
        json.dumps({**good, "title": "É", "path": None}, ensure_ascii=False).encode(),
        b'{"work_id": "\xff", "title": "T", "rightsholder": "R", "rights": "o", "path": "b.png"}',
        b'{"work_id": "\\ud800", "title": "T", "rightsholder": "R", "rights": "o", "path": "b"}',
    ]
    messages = problems(manifest(place, b"\n".join(lines), "works.JSONL"))
    assert [int(problem.split()[1]) for problem in messages] == [2, 3, 4, 5, 6, 7, 8, 9]
    for problem, words in zip(
        messages,
        ["JSON", "object", "number", "twice", "nested", "path is missing", "UTF-8", "UTF-8"],
        strict=True,
    ):
        assert words in problem
    for problem in messages:
        problem.encode()


def test_an_unclosed_quotation_mark_swallows_nothing(place):
    path = manifest(
        place, f'{HEADER}\nw1,One,A,own,a.png\nw2,"Two,A,own,b.png\nw3,Three,A,own,a.png\n'
    )
    (problem,) = problems(path)
    assert problem.startswith("line 3 of works.csv")
    assert "never closed" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("work_id,title,rightsholder,path\n", "no column rights"),
        ("work_id,title,rightsholder,rights,file path\nx,x,x,x,x\n", "no column path"),
        ("work id,title,rightsholder,rights,path\n", "'work id' is near it"),
        ("work_id|title|rightsholder|rights|path\n1|2|3|4|5\n", "separated by commas"),
        (f"{HEADER},path\n", "more than once"),
        ("", "no column work_id"),
        (f"{HEADER}\n", "lists no works"),
        (HEADER.encode("utf-16"), "lists no works"),
        (HEADER.encode("utf-16-le"), "--encoding utf-16-le"),
    ],
)
def test_a_manifest_that_cannot_be_used_at_all(place, text, words):
    with pytest.raises(ManifestError, match=words):
        read_manifest(manifest(place, text), skip_bad=True)


def test_a_missing_manifest(place):
    with pytest.raises(ManifestError, match="There is no manifest"):
        read_manifest(place / "none.csv")
    with pytest.raises(ManifestError, match="must end in"):
        read_manifest(place / "works.ods")
    with pytest.raises(ManifestError, match=r"save it as \.xlsx"):
        read_manifest(place / "works.xls")
    (place / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="can't be read"):
        read_manifest(place / "folder.csv")


def test_a_path_is_taken_as_written_before_blanks_are_dropped(place):
    (place / "c.png").write_bytes(b"y")
    path = manifest(place, f'{HEADER}\nw1,One,A,own," c.png"\nw2,Two,A,own, a.png\n')
    assert [row.path for row in read_manifest(path).rows] == [" c.png", "a.png"]


def test_a_work_in_several_rows_keeps_every_note(place):
    path = manifest(
        place,
        f"{HEADER},edition\n"
        "w,T,A,own,a.png,first\nw,T,A,own,b.png,second\nw,T,A,own, c.png,first\n",
    )
    rows = read_manifest(path).rows
    assert {row.work.notes["edition"] for row in rows} == {"first; second"}


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "loop", "pipe"])
def test_invalid_paths_are_reported(place, path):
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "pipe")
    row = {"work_id": "w", "title": "T", "rightsholder": "", "rights": "own", "path": path}
    (problem,) = problems(manifest(place, json.dumps(row), "works.jsonl"))
    assert problem.startswith("line 1")


@given(st.lists(st.lists(st.text('ab,"\n\r;é ', max_size=6), min_size=2, max_size=2), max_size=6))
def test_csv_rows_come_back_with_the_line_they_begin_on(rows):
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["x", "y"])
    wanted = []
    for row in rows:
        line = len(list(io.StringIO(text.getvalue(), newline=""))) + 1
        writer.writerow(row)
        if any(cell.strip() for cell in row):
            wanted.append((line, {"x": row[0], "y": row[1]}))
    header, raw_rows = read_csv(text.getvalue())
    assert header == ["x", "y"]
    assert [(row.line, row.values) for row in raw_rows] == wanted


def test_folder_as_works(tmp_path):
    folder = tmp_path / "the works"
    (folder / "sub dir").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("b.png", "sub dir/été.v2.txt", ".DS_Store", "Thumbs.db", ".git/config"):
        (folder / name).write_bytes(b"x")
    (folder / "broken").symlink_to("nowhere")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"raw\xff.png")).write_bytes(b"x")
    read = folder_as_works(folder)
    assert [row.path for row in read.rows] == ["b.png", "raw\\xff.png", "sub dir/été.v2.txt"]
    assert [row.line for row in read.rows] == [1, 2, 3]
    assert read.rows[2].work == Work("sub dir/été.v2.txt", "été.v2", "", "protected")
    assert read.rows[1].file.read_bytes() == b"x"
    assert [notice.split(":")[0] for notice in read.notices] == [
        ".DS_Store",
        ".git",
        "Thumbs.db",
        "again",
    ]
    assert [problem.split(":")[0] for problem in read.problems] == ["broken", "pipe"]
    assert read.source == folder


def test_folders_without_works(tmp_path):
    with pytest.raises(ManifestError, match="not a folder"):
        folder_as_works(tmp_path / "none")
    with pytest.raises(ManifestError, match="no files"):
        folder_as_works(tmp_path)
