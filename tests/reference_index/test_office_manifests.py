"""Manifests as offices make them: other separators, encodings, headings, workbooks and paths."""

from __future__ import annotations

import datetime
import unicodedata
import zipfile

import pytest

from reference_index.errors import ManifestError
from reference_index.manifest_excel import MAX_UNPACKED
from reference_index.manifest_file import ManifestReading
from reference_index.rights import LABELS, rights_fault, rights_label
from reference_index.works import read_manifest

COLUMNS = ("work_id", "title", "rightsholder", "rights", "path")
ROWS = [("w1", "Märchen, drei", "Ä. Öhl", "own", "a.png"), ("w2", "Kaffee", "", "own", "b.png")]


@pytest.fixture
def place(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def csv_text(separator=",", rows=ROWS, columns=COLUMNS):
    def cell(text):
        return f'"{text}"' if separator in text else text

    return "".join(separator.join(map(cell, row)) + "\r\n" for row in (columns, *rows))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(manifest):
    return [(row.work.work_id, row.work.title, row.file.name) for row in manifest.rows]


WANTED = [("w1", "Märchen, drei", "a.png"), ("w2", "Kaffee", "b.png")]


@pytest.mark.parametrize(
    ("name", "text", "encoding", "note"),
    [
        ("m.csv", csv_text(";"), "utf-8-sig", "separated by semicolons"),
        ("m.csv", csv_text("\t"), "utf-8", "separated by tabs"),
        ("m.tsv", csv_text("\t"), "utf-8", "separated by tabs"),
        ("m.txt", csv_text("\t"), "utf-16", "UTF-16"),
        ("m.csv", "sep=;\r\n" + csv_text(";"), "utf-8-sig", "separated by semicolons"),
        ("m.csv", '"sep=|"\r\n' + csv_text("|"), "utf-8", "vertical bars"),
        ("m.csv", "\r\n;;;;\r\n" + csv_text(";"), "utf-8", "semicolons"),
    ],
)
def test_separators_and_marks_are_detected_and_said(place, name, text, encoding, note):
    read = read_manifest(write(place / name, text, encoding))
    assert rows_of(read) == WANTED
    assert any(note in notice for notice in read.notices)


def test_lines_keep_their_numbers_below_excels_line_of_the_separator(place):
    read = read_manifest(write(place / "m.csv", "sep=;\r\n" + csv_text(";")))
    assert [row.line for row in read.rows] == [3, 4]


def test_commas_are_not_mentioned(place):
    assert read_manifest(write(place / "m.csv", csv_text(), "utf-8-sig")).notices == ()


def test_another_encoding_is_one_sentence_that_shows_how_it_would_read(place):
    many = [(f"w{n}", f"Märchen {n}", "", "own", "a.png") for n in range(243)]
    path = write(place / "m.csv", csv_text(";", many), "cp1252")
    with pytest.raises(ManifestError) as refused:
        read_manifest(path)
    message = str(refused.value)
    assert refused.value.problems == ()
    for words in ("lines 2 and 242 more", "--encoding cp1252", "Märchen 0", "CSV UTF-8"):
        assert words in message
    read = read_manifest(path, reading=ManifestReading(encoding="cp1252"))
    assert read.rows[3].work.title == "Märchen 3"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("utf-8", "is not utf-8"), ("no-such", "no encoding 'no-such'"), ("base64", "no encoding")],
)
def test_an_encoding_that_does_not_fit_is_one_sentence(place, encoding, words):
    path = write(place / "m.csv", csv_text(), "cp1252")
    with pytest.raises(ManifestError, match=words):
        read_manifest(path, reading=ManifestReading(encoding=encoding))


GERMAN = ("Nr", "Titel", "Inhaber", "Rechte", "Datei")


def test_other_headings_are_named_by_an_option(place):
    path = write(place / "m.csv", csv_text(";", columns=GERMAN))
    with pytest.raises(ManifestError, match="--column title=Titel") as refused:
        read_manifest(path)
    assert "its headings are Nr, Titel" in str(refused.value)
    columns = dict(zip(COLUMNS, GERMAN, strict=True))
    read = read_manifest(path, reading=ManifestReading(columns=columns))
    assert rows_of(read) == WANTED
    assert read.rows[0].work.notes == {}
    with pytest.raises(ManifestError, match="no heading 'Title' for the column title"):
        read_manifest(path, reading=ManifestReading(columns={**columns, "title": "Title"}))


def test_a_column_that_is_there_under_both_names_is_refused(place):
    path = write(place / "m.csv", csv_text(columns=("work_id", "title", "Titel", "rights", "path")))
    with pytest.raises(ManifestError, match="title is there more than once"):
        read_manifest(path, reading=ManifestReading(columns={"title": "Titel"}))


def test_other_keys_of_jsonl(place):
    path = place / "m.jsonl"
    path.write_text('{"work_id":"w","Titel":"T","rights":"own","path":"a.png"}\n')
    read = read_manifest(path, reading=ManifestReading(columns={"title": "Titel"}))
    assert read.rows[0].work.title == "T"


class TestWorkbooks:
    @pytest.fixture
    def workbook(self, place):
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        book.active.title = "Katalog"
        book.active.append([*COLUMNS, "year", "seen", "pages"])
        return book

    def test_values_become_text_as_they_are_shown(self, place, workbook):
        sheet = workbook.active
        sheet.append([7, 1984, None, "own", "a.png", datetime.date(1999, 12, 31), True, 3.5])
        sheet.append([42, "T", "H", "own", "b.png", datetime.datetime(2020, 1, 2, 3, 4), "", 12.0])
        sheet["A3"].number_format = "00000"
        workbook.save(place / "m.xlsx")
        first, second = read_manifest(place / "m.xlsx").rows
        assert (first.work.work_id, first.work.title, first.work.rightsholder) == ("7", "1984", "")
        assert first.work.notes == {"year": "1999-12-31", "seen": "true", "pages": "3.5"}
        assert second.work.work_id == "00042"
        assert second.work.notes == {"year": "2020-01-02 03:04:00", "pages": "12"}
        assert second.location == "row 3 of m.xlsx"

    def test_hidden_rows_are_read_and_said(self, place, workbook):
        sheet = workbook.active
        for row in ([], ["w1", "T", "", "own", "a.png"], ["w2", "T", "", "own", "b.png"]):
            sheet.append(row)
        sheet.row_dimensions[4].hidden = True
        workbook.save(place / "m.xlsx")
        read = read_manifest(place / "m.xlsx")
        assert [row.line for row in read.rows] == [3, 4]
        assert "m.xlsx: 1 row is hidden, and read like the others: 4." in read.notices

    def test_a_formula_without_its_value_and_an_error_are_bad_rows(self, place, workbook):
        sheet = workbook.active
        sheet.append(["w1", "=B3&B4", "", "own", "a.png"])
        sheet.append(["w2", "T", "", "own", "#REF!"])
        sheet["E3"].data_type = "e"
        sheet.append(["w3", "T", "", "own", "b.png", "", "", "", "stray"])
        workbook.save(place / "m.xlsx")
        problems = read_manifest(place / "m.xlsx", skip_bad=True).problems
        assert [problem.split(":")[0] for problem in problems] == [
            f"row {number} of m.xlsx" for number in (2, 3, 4)
        ]
        assert "title is a formula whose value is not stored" in problems[0]
        assert "path is Excel's error #REF!" in problems[1]
        assert "a value in column I, which has no heading" in problems[2]

    def test_one_sheet_is_read_and_said(self, place, workbook):
        workbook.active.append(["w1", "T", "", "own", "a.png"])
        notes = workbook.create_sheet("Notizen", 0)
        notes.sheet_state = "hidden"
        other = workbook.create_sheet("Alt")
        other.append(COLUMNS)
        other.append(["old", "T", "", "own", "b.png"])
        workbook.save(place / "m.xlsx")
        read = read_manifest(place / "m.xlsx")
        assert rows_of(read) == [("w1", "T", "a.png")]
        assert any("'Katalog' was read" in notice for notice in read.notices)
        read = read_manifest(place / "m.xlsx", reading=ManifestReading(sheet="Alt"))
        assert rows_of(read) == [("old", "T", "b.png")]
        with pytest.raises(ManifestError, match="its sheets are 'Notizen', 'Katalog', 'Alt'"):
            read_manifest(place / "m.xlsx", reading=ManifestReading(sheet="Neu"))

    def test_columns_rights_and_paths_are_read_as_in_a_csv(self, place, workbook):
        sheet = workbook.create_sheet("Liste", 0)
        sheet.append(GERMAN)
        sheet.append(["w", "T", "", "gemeinfrei", "C:\\Katalog\\A.PNG"])
        workbook.save(place / "m.xlsx")
        reading = ManifestReading(
            columns=dict(zip(COLUMNS, GERMAN, strict=True)),
            prefixes=(("c:/katalog", str(place)),),
            rights={"gemeinfrei": "public_domain"},
        )
        (row,) = read_manifest(place / "m.xlsx", reading=reading).rows
        assert (row.work.rights, row.file, row.path) == (
            "public_domain",
            place / "a.png",
            "C:\\Katalog\\A.PNG",
        )

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "can't be read as a workbook"),
            (b"PK\x03\x04 no archive", "can't be read as a workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "encrypted or an old workbook"),
        ],
    )
    def test_what_is_no_workbook_is_one_sentence(self, place, data, words):
        (place / "m.xlsx").write_bytes(data)
        with pytest.raises(ManifestError, match=words):
            read_manifest(place / "m.xlsx")

    def test_a_workbook_that_unpacks_to_too_much_is_refused(self, place, workbook):
        workbook.save(place / "m.xlsx")
        with (
            zipfile.ZipFile(place / "m.xlsx", "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open("xl/media/image1.bmp", "w", force_zip64=True) as part,
        ):
            for _ in range(MAX_UNPACKED >> 20):
                part.write(bytes(2**20))
        with pytest.raises(ManifestError, match="unpacks to more than 256 MiB"):
            read_manifest(place / "m.xlsx")

    def test_without_the_extra_one_sentence_says_what_to_install(
        self, place, workbook, monkeypatch
    ):
        workbook.save(place / "m.xlsx")
        monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
        with pytest.raises(ManifestError, match=r"pip install '\.\[excel\]'"):
            read_manifest(place / "m.xlsx")


@pytest.mark.parametrize(
    ("name", "reading", "words"),
    [
        ("m.csv", ManifestReading(sheet="A"), "no --sheet"),
        ("m.xlsx", ManifestReading(encoding="cp1252"), "no --encoding"),
    ],
)
def test_options_for_another_kind_of_file_are_refused(place, name, reading, words):
    write(place / name, csv_text())
    with pytest.raises(ManifestError, match=words):
        read_manifest(place / name, reading=reading)


def paths(place, *written, **options):
    rows = [(f"w{n}", "T", "", "own", path) for n, path in enumerate(written)]
    reading = ManifestReading(**options)
    return read_manifest(
        write(place / "m.csv", csv_text(rows=rows)), skip_bad=True, reading=reading
    )


def test_a_prefix_of_another_machine(place):
    (place / "Bilder").mkdir()
    (place / "Bilder" / "c.png").write_bytes(b"x")
    read = paths(
        place,
        "C:\\Katalog\\Bilder\\c.png",
        "c:/KATALOG/a.png",
        "C:\\Katalog2\\a.png",
        "\\\\server\\share\\b.png",
        prefixes=(("C:\\Katalog\\", str(place)), ("\\\\SERVER\\share", str(place)), ("D:", "/d")),
    )
    assert [row.file for row in read.rows] == [
        place / "Bilder" / "c.png",
        place / "a.png",
        place / "b.png",
    ]
    assert read.rows[0].path == "C:\\Katalog\\Bilder\\c.png"
    assert len(read.problems) == 1
    assert "'C:\\\\Katalog2\\\\a.png' has a path of another machine" in read.problems[0]
    assert "--path-prefix" in read.problems[0]
    assert any("no path begins with 'D:'" in notice for notice in read.notices)


def test_the_longest_prefix_counts(place):
    (place / "deep").mkdir()
    (place / "deep" / "c.png").write_bytes(b"x")
    read = paths(
        place, "X:\\one\\c.png", prefixes=(("X:", str(place)), ("X:\\one", str(place / "deep")))
    )
    assert read.rows[0].file == place / "deep" / "c.png"


def test_letter_case_accents_and_backslashes_are_forgiven_and_said(place):
    composed, decomposed = (unicodedata.normalize(form, "Été.png") for form in ("NFC", "NFD"))
    (place / "Bilder").mkdir()
    (place / "Bilder" / decomposed).write_bytes(b"x")
    (place / "Bilder" / "e.png").write_bytes(b"x")
    read = paths(place, f"Bilder/{composed}", "bilder/E.PNG", "Bilder\\e.png", "a.png")
    assert read.problems == ()
    assert [row.file.name for row in read.rows] == [decomposed, "e.png", "e.png", "a.png"]
    assert [notice.split(":")[0] for notice in read.notices] == [
        f"line {line} of m.csv" for line in (2, 3, 4)
    ]
    for notice, words in zip(
        read.notices, ["accents", "letter case", "read as 'Bilder/e.png'"], strict=True
    ):
        assert words in notice


def test_two_files_that_differ_only_in_case_are_a_fault(place):
    (place / "C.png").write_bytes(b"x")
    (place / "c.PNG").write_bytes(b"y")
    read = paths(place, "c.png", "C.png")
    assert [row.path for row in read.rows] == ["C.png"]
    (problem,) = read.problems
    assert "'C.png' and 'c.PNG' differ from it only in letter case" in problem


def test_the_same_file_by_two_spellings_is_a_repetition(place):
    rows = [("w", "T", "", "own", "a.png"), ("w", "T", "", "own", "A.png")]
    read = read_manifest(write(place / "m.csv", csv_text(rows=rows)), skip_bad=True)
    assert "repeats line 2" in read.problems[0]


@pytest.mark.parametrize(
    ("written", "label"),
    [
        *((label, label) for label in LABELS),
        ("Public Domain", "public_domain"),
        ("public-domain", "public_domain"),
        ("PD", "public_domain"),
        ("in the Public  Domain.", "public_domain"),
        ("Licenced", "licensed"),
        ("LICENSED", "licensed"),
        ("under licence", "licensed"),
        ("Own", "own"),
        ("all rights reserved", "protected"),
        ("©", "protected"),
        ("publik domain", None),
        ("CC BY 4.0", None),
        ("not protected", None),
        ("unlicensed", None),
        ("public domain in the US", None),
        ("?", None),
    ],
)
def test_rights_labels(written, label):
    assert rights_label(written) == label


def test_rights_that_are_not_understood_are_bad_rows_that_name_the_label_meant(place):
    rows = [("w1", "T", "", "Publik Domain", "a.png"), ("w2", "T", "", "CC BY 4.0", "b.png")]
    path = write(place / "m.csv", csv_text(rows=rows))
    problems = read_manifest(path, skip_bad=True).problems
    assert "'Publik Domain'" in problems[0]
    assert "the nearest is public_domain" in problems[0]
    assert "none of protected, licensed, own, public_domain;" in problems[1]
    assert "--rights 'CC BY 4.0=licensed'" in problems[1]
    reading = ManifestReading(rights={"publik domain": "public_domain", "CC BY 4.0": "licensed"})
    read = read_manifest(path, reading=reading)
    assert [row.work.rights for row in read.rows] == ["public_domain", "licensed"]
    assert "m.csv: the rights 'CC BY 4.0' were read as licensed (1 row)." in read.notices


def test_spellings_that_were_understood_are_said_with_their_number(place):
    rows = [("w1", "T", "", "PD", "a.png"), ("w2", "T", "", "PD", "b.png")]
    read = read_manifest(write(place / "m.csv", csv_text(rows=rows)))
    assert read.notices == ("m.csv: the rights 'PD' were read as public_domain (2 rows).",)


def test_the_fault_of_a_word_far_from_every_label_proposes_none():
    assert "nearest" not in rights_fault("xyz")
