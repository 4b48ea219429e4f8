"""A run as a notebook sees it."""

import html
import re

import pytest

from pipeline.core.errors import RunError
from pipeline.report.notebook import load_run

HOSTILE = '"><img src=x onerror=alert(1)>.png'
SECTION = re.compile(r"<[^>]*>")


@pytest.fixture(scope="module")
def drop(tmp_path_factory, photos, works):
    folder = tmp_path_factory.mktemp("drop")
    photos["chelsea"].resize((300, 200)).save(folder / HOSTILE)
    photos["hubble_deep_field"].save(folder / "stars.png")
    scene = (works / "lamp.fountain").read_text(encoding="utf-8")
    (folder / "lifted.txt").write_text(f"<script>alert(1)</script>\n\n{scene}", encoding="utf-8")
    (folder / "odd.xyz").write_bytes(b"?")
    return folder


@pytest.fixture(scope="module")
def loaded(drop, index, tmp_path_factory, run):
    out = tmp_path_factory.mktemp("out") / "out"
    assert run("screen", drop, "--index", index, "--out", out).status == 3
    return load_run(out)


def test_tables_are_those_of_the_run(loaded):
    assert len(loaded.table) == 4
    assert set(loaded.matches["work_id"]) == {"chelsea", "lamp"}
    assert set(loaded.passages["work_id"]) == {"lamp"}
    assert list(loaded.flagged["band"]) == ["escalate", "escalate"]
    assert repr(loaded).startswith("<Run ")
    assert "of 4 files: escalate 2, not_screened 1, no_match 1" in repr(loaded)


def test_a_picture_is_shown_with_its_overlay_and_its_name_as_text(loaded):
    page = loaded.show(HOSTILE)._repr_html_()
    assert page.count("<img ") == 1
    assert "data:image/png;base64," in page
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", page)
    assert html.escape(HOSTILE, quote=False).replace('"', "&#34;") in page
    assert "Chelsea" in page
    assert "risk after it" in page


def test_a_lifted_scene_is_shown_next_to_the_work(loaded):
    page = loaded.show("lifted.txt")._repr_html_()
    assert "<mark>" in page
    assert "<script" not in page
    assert "The Lamp Room" in page
    assert "<img" not in page


def test_each_reason_is_a_line_as_on_the_review_page(loaded):
    row = loaded.table.set_index("asset_path").loc["lifted.txt"]
    page = loaded.show("lifted.txt")._repr_html_()
    lines = [html.unescape(SECTION.sub("", one)) for one in re.findall(r"<li>(.*?)</li>", page)]
    assert len(lines) > 1
    assert " ".join(lines) == row["reasons"]
    assert lines[0].startswith("Escalate: ")
    assert not any(line[:1].islower() for line in lines)
    assert "The Lamp Room" in lines[0]


def test_an_asset_without_evidence_says_what_each_stage_did(loaded):
    view = loaded.show("stars.png")
    assert view.match is None
    assert "no match" in SECTION.sub(" ", view._repr_html_())
    assert len(view.pictures[0]) == 1
    assert loaded.nearest("stars.png").empty
    not_screened = loaded.show("odd.xyz")._repr_html_()
    assert "not screened" in not_screened


def test_a_gallery_is_in_the_order_of_its_rows(loaded):
    page = loaded.gallery(loaded.table.sort_values("asset_path", ascending=False))._repr_html_()
    places = [page.index(name) for name in ("stars.png", "odd.xyz", "lifted.txt")]
    assert places == sorted(places)
    assert page.count("<img ") == 2
    assert page.count("<tr>") == 5
    assert loaded.gallery(limit=1)._repr_html_().count("<tr>") == 2


def test_a_file_that_changed_since_is_not_shown_as_if_it_had_been_screened(
    loaded, drop, photos, tmp_path
):
    original_bytes = (drop / "stars.png").read_bytes()
    try:
        photos["coffee"].save(drop / "stars.png")
        pictures, note = loaded.show("stars.png").pictures
        assert pictures == []
        assert "other content" in note
        assert loaded.gallery(loaded.table)._repr_html_().count("<img ") == 1
    finally:
        (drop / "stars.png").write_bytes(original_bytes)


def test_errors_are_sentences(loaded, tmp_path):
    with pytest.raises(RunError, match="no asset nothing"):
        loaded.show("nothing")
    with pytest.raises(RunError, match="no evidence with a work rocket"):
        loaded.show(HOSTILE, work_id="rocket")
    with pytest.raises(RunError, match="holds no results"):
        load_run(tmp_path)


def test_the_nearest_works_of_an_asset(loaded):
    assert loaded.nearest(HOSTILE)["work_id"].tolist() == ["chelsea"]
