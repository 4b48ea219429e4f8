"""The report: a page that asks for nothing, shows names as text, and hides nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from row_samples import RUN, WORKS, abstained_row, flagged_row, no_match_row, unreadable_row

from pipeline.core.errors import Reason
from pipeline.core.records import Band, Kind, Passage
from pipeline.core.wording.text import risk_in_words, risk_number, value_in_words
from pipeline.load.loaded import LoadedImage
from pipeline.report.card import CardLimits, Content, ContentCollector, card, overlay_frames
from pipeline.report.excerpts import MAX_CHARACTERS, excerpt_pair
from pipeline.report.overlay import page_picture
from pipeline.report.page import ReportLimits, report_html, write_report
from pipeline.report.page_pictures import PagePictures
from pipeline.report.row_view import waterfall_of
from pipeline.results.files import ResultFiles
from pipeline.risk.fuse import explain_contributions
from pipeline.stages import Measure
from reference_index.interface import Work


def page_of(rows, works=WORKS, run=RUN, **more) -> str:
    return "".join(report_html(run=run, rows=rows, works=works, **more))


class Reader(HTMLParser):
    """The page as a browser sees it: its text, its elements and their attributes."""

    VOID = ("meta", "img", "br", "hr", "link", "input", "wbr")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def pictures(self) -> list[str]:
        """What is said of each picture that is shown, in order."""
        return [str(svg["aria-label"]) for svg in self.named("svg") if svg.get("role") == "img"]

    @property
    def kept(self) -> list[bytes]:
        """The bytes of each picture that the page holds."""
        return [
            base64.b64decode(str(image["href"]).partition(",")[2]) for image in self.named("image")
        ]


def jpeg(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(out, "JPEG")
    return out.getvalue()


EVIL = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\n\x1b[31m\u202egnp.exe&amp;{{7*7}}"
)


def evil_rows():
    return [
        flagged_row(f"a/{EVIL}", reasons=(f"Escalate: {EVIL}",)),
        replace(no_match_row(f"b/{EVIL}"), reasons=(EVIL,)),
        replace(unreadable_row(f"c/{EVIL}"), reasons=(EVIL,)),
    ]


def test_names_are_escaped_as_text():
    works = {"w1": Work(EVIL, EVIL, EVIL, EVIL)}
    page = page_of(evil_rows(), works, replace(RUN, drop=EVIL))
    read = Reader(page)
    assert page.count("<script") == len(read.named("script")) == 1
    assert {name for name, _ in read.elements}.isdisjoint({"iframe", "object", "link"})
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\u202egnp.exe&amp;{{7*7}}" in read.text
    assert read.text.count("\\n\\x1b[31m") >= 8


@given(st.text(max_size=30))
def test_any_name_can_be_read_in_the_page(name):
    from pipeline.core.wording.text import visible

    read = Reader(page_of([no_match_row(name), replace(flagged_row(f"f{name}"), reasons=(name,))]))
    assert f"f{visible(name)}" in read.text


def test_the_page_makes_no_network_request_and_its_policy_forbids_any():
    content = Content({"a.png": jpeg("red")}, {"file of w1": jpeg("blue")})
    page = page_of([flagged_row("a.png"), no_match_row("b.png")], content=content)
    read = Reader(page)
    policy = next(m for m in read.named("meta") if m.get("http-equiv"))
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    [own] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    [scripts] = re.findall(r"script-src ([^;]*);", str(policy["content"]))
    assert scripts == f"'sha256-{digest}'", "its own script, and no other"
    for _, attributes in read.elements:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or re.match(r"data:image/(jpeg|webp);base64,|#", value)
    assert not re.search(r"https?://|@import|url\(", page)


def test_both_pictures_are_side_by_side_with_alternative_text():
    content = Content({"a.png": jpeg("red")}, {"file of w1": jpeg("blue")})
    read = Reader(page_of([flagged_row("a.png")], content=content))
    assert read.pictures == ["The asset a.png", "The work The Cat"]
    assert len(read.kept) == 2
    without = Reader(page_of([flagged_row("a.png")]))
    assert without.pictures == without.kept == []
    assert without.text.count("No picture kept") == 2


def test_an_identical_file_shows_the_work_by_its_own_digest():
    row = flagged_row("a.png", identical=True)
    content = Content({}, {row.asset.asset_id: jpeg("green")})
    read = Reader(page_of([row], content=content))
    assert len(read.pictures) == 1
    assert "set by rule" not in read.text, "the risk comes only from the evidence"
    [match] = row.matches
    raised = replace(match, contributions={**match.contributions, "identical_file": 1.0})
    lifted = Reader(page_of([replace(row, matches=(raised,))], content=content))
    assert "byte for byte: set by rule" in lifted.text


def test_a_flagged_row_that_was_looked_at_in_part_is_listed_as_such():
    read = Reader(page_of([replace(flagged_row("a.gif"), complete=False), flagged_row("b.png")]))
    assert "1 was not screened, or only in part" in read.text
    assert "A part of it was not looked at" in read.text


def test_the_strongest_row_comes_first_and_anchors_lead_to_it():
    rows = [
        flagged_row("weak.png", 5.0, band=Band.REVIEW),
        flagged_row("strong.png", 9.0),
        flagged_row("faint.png", 2.0, band=Band.INFO),
        flagged_row("likely.png", 6.0),
    ]
    page = page_of(rows)
    names = re.findall(r'<h3 id="name-\d+"><bdi class="name">([^<]+)', page)
    assert names == ["strong.png", "likely.png", "weak.png", "faint.png"]
    read = Reader(page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"].removeprefix("#") for a in read.named("a")}
    assert links <= set(ids)
    for _, attributes in read.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_what_is_not_listed_is_counted_and_its_place_named():
    rows = [flagged_row(f"f{n}.png") for n in range(5)]
    rows += [no_match_row(f"n{n}.png") for n in range(9)]
    rows += [unreadable_row(f"u{n}.png") for n in range(4)]
    rows += [abstained_row(f"w{n}.png") for n in range(2)]
    text = Reader(page_of(rows, limits=ReportLimits(max_rows=3))).text
    assert (
        "2 further flagged files are not shown on this page; every one is in risk_table.csv" in text
    )
    assert "6 files more are not listed" in text
    assert "1 file more is not listed" in text
    assert "2 files more are not listed" in text
    assert "5 of 20 files need review by a person. 6 were not screened, or only in part." in text
    everything = Reader(page_of(rows)).text
    assert "more are not listed" not in everything
    assert all(row.asset.asset_path in everything for row in rows)


def test_what_could_not_be_screened_is_grouped_by_its_reason():
    rows = [
        unreadable_row("a.png", Reason.CORRUPT),
        unreadable_row("b.png", Reason.CORRUPT),
        abstained_row("white.png"),
    ]
    read = Reader(page_of(rows))
    anchors = [a["href"] for a in read.named("a") if str(a["href"]).startswith("#why")]
    assert anchors == ["#why-corrupt", "#why-too_little_detail"]
    assert "permission denied" in read.text
    assert "that is not the same as no match" in read.text


def test_a_stage_that_did_not_run_says_so_in_the_card():
    from pipeline.core.records import Outcome

    row = flagged_row("a.png")
    silent = tuple(
        replace(o, outcome=Outcome.ABSTAINED, detail="too flat to hash", evidence=())
        if o.stage == "perceptual_hash"
        else o
        for o in row.outcomes
    )
    text = Reader(page_of([replace(row, outcomes=silent)])).text
    assert "could not judge it: too flat to hash" in " ".join(text.split())


ASSET_TEXT = "Before all this. The quick brown fox jumps over one lazy dog. And after it."
WORK_TEXT = "Title page. The quick red fox jumps over one lazy dog! The end comes."


def script_row(path="act.fountain", **changes):
    passage = Passage("w1.file", 17, 61, 12, 54, 8, 0.89)
    return flagged_row(path, kind=Kind.SCRIPT, passages=(passage,), **changes)


def test_passages_are_side_by_side_with_shared_words_marked():
    content = Content(
        asset_texts={"act.fountain": ASSET_TEXT},
        work_text=lambda file_id: WORK_TEXT if file_id == "file of w1" else None,
    )
    page = page_of([script_row()], content=content)
    assert "<mark>The quick</mark> brown <mark>fox jumps over one lazy dog</mark>." in page
    assert "<mark>The quick</mark> red <mark>fox jumps over one lazy dog</mark>!" in page
    assert "Before all this" in page
    assert "characters 17–61" in page
    none = Reader(page_of([script_row()]))
    assert none.text.count("No text kept") == 2


@pytest.mark.parametrize(
    ("identity", "percentage"), [(1.0, "100 %"), (0.9996, "99 %"), (0.951, "95 %"), (0.4, "40 %")]
)
def test_a_passage_with_a_word_changed_is_not_wholly_the_same(identity, percentage):
    row = flagged_row(
        "a", kind=Kind.SCRIPT, passages=(Passage("w1.file", 0, 9, 0, 9, 400, identity),)
    )
    assert f"400 words in common {percentage} of the longer stretch" in Reader(page_of([row])).text


def test_an_excerpt_is_the_passage_and_is_cut_when_it_is_long():
    text = "word " * 4000
    asset_excerpt, work_excerpt = excerpt_pair(text, (5, 19_000), text, (0, 100))
    assert asset_excerpt is not None
    assert work_excerpt is not None
    assert text[5:].startswith(asset_excerpt.text)
    assert len(asset_excerpt.text) == MAX_CHARACTERS
    assert asset_excerpt.left_out == 19_000 - 5 - MAX_CHARACTERS
    assert asset_excerpt.rest
    assert work_excerpt.text == text[:100]
    assert not work_excerpt.rest


@given(st.text(max_size=60), st.integers(-2, 70), st.integers(-2, 70))
def test_an_excerpt_never_breaks_on_spans_that_do_not_fit(text, start, end):
    asset_excerpt, work_excerpt = excerpt_pair(text, (start, end), None, (0, 1))
    assert work_excerpt is None
    assert (asset_excerpt is None) == (not 0 <= start < end <= len(text))


def test_the_waterfall_ends_where_the_risk_is_and_each_bar_begins_where_the_last_ended():
    steps = explain_contributions(-5.0, {"perceptual_hash": 6.0, "clip_embedding": 1.5})
    chart = waterfall_of(steps)
    bars, ticks = chart.bars, chart.ticks
    assert [bar.name for bar in bars] == ["prior", "perceptual_hash", "clip_embedding", "total"]
    for before, bar in itertools.pairwise(bars[:-1]):
        assert bar.left == pytest.approx(before.left + before.width, abs=0.02)
    assert bars[-1].left == 0
    assert bars[-1].width == pytest.approx(bars[-2].left + bars[-2].width, abs=0.02)
    assert all(bar.left >= 0 and bar.left + bar.width <= 100.5 for bar in bars)
    assert [label for label, _ in ticks] == ["0.01", "0.1", "0.5", "0.9"]
    for added in ({}, {"identical_file": 11.9}, {"perceptual_hash": 0.0}):
        waterfall_of(explain_contributions(-5.0, added))


@pytest.mark.parametrize("added", [0.0, 3.0, 9.0, 14.7, 23.0, 60.0])
def test_labels_on_the_axis_never_run_into_each_other(added):
    ticks = waterfall_of(explain_contributions(-6.0, {"perceptual_hash": added})).ticks
    places = [at for _, at in ticks]
    assert all(b - a >= 17 for a, b in itertools.pairwise(places))
    assert len(ticks) >= 1


@pytest.mark.parametrize(
    ("risk", "number", "words"),
    [
        (0.93, "0.93", "about 93 in 100 labelled pairs with such evidence were copies"),
        (0.9901, ">0.99", "more than 99 in 100 labelled pairs with such evidence were copies"),
        (0.99, "0.99", "about 99 in 100 labelled pairs with such evidence were copies"),
        (0.01, "0.01", "about 1 in 100 labelled pairs with such evidence were copies"),
        (0.0099, "<0.01", "fewer than 1 in 100 labelled pairs with such evidence were copies"),
        (None, "–", "not given, because too little of it could be judged"),
    ],
)
def test_risk_in_words(risk, number, words):
    assert risk_number(risk) == number
    assert risk_in_words(risk) == words


def test_a_passage_that_is_not_counted_is_not_said_to_be_seldom_copied():
    row = script_row()
    match = replace(row.matches[0], contributions={"text_overlap": 0.0}, risk=0.001)
    text = Reader(page_of([replace(row, band=Band.INFO, risk=0.001, matches=(match,))])).text
    assert "what was found adds nothing to it" in text
    assert "in 100 labelled pairs" not in text


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (2, "bits of 64", "2 bits of 64"),
        (1, "bits of 64", "1 bit of 64"),
        (1, "words", "1 word"),
        (1204, "words", "1,204 words"),
        (0.93125, "0 to 1", "0.931 (0 to 1)"),
        (999.4, "words", "999 words"),
        (10019.486, "words", "10,019 words"),
        (0.5, "", "0.5"),
        (True, "", "yes"),
        (None, "words", "–"),
        ("mirrored", "", "mirrored"),
    ],
)
def test_a_figure_is_shown_with_its_unit(value, unit, words):
    assert value_in_words(value, Measure("m", "str", "match", unit, "")) == words


def test_a_page_of_nothing_is_still_a_page(tmp_path):
    with ResultFiles(tmp_path) as files:
        write_report(files, run=RUN, rows=[], works={})
    text = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "No file has evidence" in text
    assert "cleared" not in text.lower()


def test_the_page_never_says_that_anything_is_cleared_or_safe():
    text = Reader(page_of([flagged_row("a"), no_match_row("b"), abstained_row("c")])).text.lower()
    for word in ("cleared", " safe", "infring"):
        assert word not in text


TRANSFORM = "-0.5 0 0.75 0 0.6 0.2 0 0 1"


def overlap_measures(**changes):
    return {
        "overlap_inliers": 142,
        "overlap_asset_share": 0.3,
        "overlap_work_share": 1.0,
        "overlap_agreement": 0.93,
        "overlap_transform": TRANSFORM,
        "overlap_negative": False,
        "overlap_frame": 0,
        "overlap_found_by": "perceptual hash, local features",
        **changes,
    }


def with_overlap(row, work_id="w1", file="w1.file", **changes):
    """The row with the measures of a verified overlap with one of its works."""
    measures = overlap_measures(**changes)
    bare = {
        other: {k: v for k, v in one.measures.items() if not k.startswith("overlap_")}
        for other, one in ((m.work_id, m) for m in row.matches)
    }
    matches = tuple(
        replace(
            m,
            measures={**bare[m.work_id], **measures} if m.work_id == work_id else m.measures,
            work_files={**m.work_files, "local_features": file}
            if m.work_id == work_id
            else m.work_files,
        )
        for m in row.matches
    )
    outcomes = tuple(
        replace(
            o,
            evidence=tuple(
                replace(e, measures={**e.measures, **measures}) if e.work_id == work_id else e
                for e in o.evidence
            ),
        )
        for o in row.outcomes
    )
    return replace(row, matches=matches, outcomes=outcomes)


def without_overlap(row):
    """The row with no overlap with any work, for any set of registered stages."""
    return replace(
        row,
        matches=tuple(
            replace(
                m, measures={k: v for k, v in m.measures.items() if not k.startswith("overlap_")}
            )
            for m in row.matches
        ),
    )


def photo(seed: int, width: int = 400, height: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def shown_content(row, *frames, work=True, **more):
    """What a run keeps of one asset with these frames."""
    image = LoadedImage(tuple(frames) or (photo(1),), "PNG", **more)
    path = row.asset.asset_path
    return Content(
        asset_thumbnails={path: page_picture(image.frames[0])},
        work_thumbnails={"file of w1": jpeg("blue"), "file of w2": jpeg("green")} if work else {},
        asset_frames={path: overlay_frames(row, image)},
    )


def test_a_verified_overlap_is_drawn_and_said_in_the_card():
    row = with_overlap(flagged_row("a.png"))
    read = Reader(page_of([row], content=shown_content(row)))
    assert read.pictures == [
        "The asset a.png with the outline of the work",
        "The work The Cat with the outline of what is in the asset",
        "The asset a.png with the work The Cat laid onto it in squares",
    ]
    assert len(read.kept) == 3
    assert len(read.named("polygon")) == 4, "a line and its rim around the overlap, in both"
    text = " ".join(read.text.split())
    assert (
        "The work’s picture lies in the asset: the two agree over 30 % of the asset and 100 % of "
        "the work; "
        "mirrored, scaled by 0.55 (at 1 it would fill the asset); 142 agreeing points; agreement "
        "0.93 (1 is the same picture); proposed by perceptual hash and local features." in text
    )
    assert "The work. All of it falls within the asset. w1.file" in text
    assert TRANSFORM not in text


def test_the_overlay_shows_the_frame_that_the_overlap_was_measured_on():
    black, white = np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 255, np.uint8)
    row = with_overlap(flagged_row("a.gif"), overlap_frame=40)
    content = shown_content(row, black, white, numbers=(0, 40), frame_count=60)
    page = page_of([row], content=content)
    read = Reader(page)
    [panel, *_] = [svg for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "outline" in svg]
    [name] = re.findall(r'use href="#(\w+)"', panel)
    [data] = re.findall(rf'symbol id="{name}".*?base64,([^"]+)', page)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert min(picture.getpixel((5, 5))) > 240
    assert "in frame 41 of the file" in read.text
    gone = with_overlap(flagged_row("a.gif"), overlap_frame=41)
    content = shown_content(gone, black, white, numbers=(0, 40), frame_count=60)
    text = " ".join(Reader(page_of([gone], content=content)).text.split())
    assert "The overlay is not drawn: its frame of the file was not kept." in text


def test_without_stored_content_only_the_asset_is_shown():
    row = with_overlap(flagged_row("a.png"))
    read = Reader(page_of([row], content=shown_content(row, work=False)))
    assert len(read.pictures) == 1
    assert "The index keeps no picture of the work" in read.text


def test_without_pictures_the_overlap_is_only_described_in_words():
    row = with_overlap(flagged_row("a.png"))
    read = Reader(page_of([row]))
    assert read.pictures == []
    assert "agree over 30 % of the asset" in read.text
    assert "The overlay is not drawn" not in read.text


@pytest.mark.parametrize("transform", ["text", "<b>1</b>", "1 0 0 0 1 0 0 0 0", "nan " * 9, ""])
def test_a_broken_transform_leaves_the_pair_and_says_why(transform):
    row = with_overlap(flagged_row("a.png"), overlap_transform=transform)
    page = page_of([row], content=shown_content(row))
    assert Reader(page).pictures == [
        "The asset a.png",
        "The work The Cat",
    ]
    assert "The overlay is not drawn: " in page
    assert "<b>1</b>" not in page


def test_names_next_to_an_overlay_are_escaped_as_text():
    row = with_overlap(flagged_row(EVIL), file=EVIL, overlap_found_by=EVIL)
    page = page_of([row], {"w1": Work(EVIL, EVIL, EVIL, EVIL)}, content=shown_content(row))
    read = Reader(page)
    assert len(read.pictures) == 3
    assert page.count("<script") == 1
    assert "<img src=x" not in page
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)


def test_an_overlap_with_another_work_names_it():
    row = without_overlap(flagged_row("a.png", work_ids=("w1", "w2")))
    row = with_overlap(row, "w2", "w2.file")
    read = Reader(page_of([row], content=shown_content(row)))
    text = " ".join(read.text.split())
    assert "Another work in it: Der Kaffee – Maß" in text
    assert len(read.pictures) == 5, "the pair of the strongest match, and the overlay"
    both = with_overlap(row, "w1")
    read = Reader(page_of([both], content=shown_content(both)))
    assert len(read.pictures) == 6
    one = page_of(
        [both], content=shown_content(both), limits=ReportLimits(card=CardLimits(max_overlays=1))
    )
    assert len(Reader(one).pictures) == 3
    assert Reader(one).text.count("agree over 30 % of the asset") == 2, "the other, in words"
    line = (
        card(
            1, both, WORKS, RUN, Content(), PagePictures(), CardLimits(max_passages=1, max_others=1)
        )
        .others[0]
        .evidence
    )
    assert "overlap " not in line.split(". The work’s picture lies in the asset")[0]


def test_the_page_holds_so_many_bytes_of_overlays_and_the_most_urgent_have_them():
    rows = [with_overlap(flagged_row(f"{n}.png", 9.0 - n)) for n in range(4)]
    contents = [shown_content(row, photo(n)) for n, row in enumerate(rows)]
    content = Content(
        {path: jpg for one in contents for path, jpg in one.asset_thumbnails.items()},
        contents[0].work_thumbnails,
        asset_frames={
            path: frames for one in contents for path, frames in one.asset_frames.items()
        },
    )

    def drawn_within(size: int) -> Reader:
        return Reader(
            page_of(rows, content=content, limits=ReportLimits(card=CardLimits(overlay_bytes=size)))
        )

    def drawn(read: Reader) -> list[str]:
        return [one.split()[2] for one in read.pictures if "squares" in one]

    all_of_them = drawn_within(2**20)
    assert drawn(all_of_them) == ["0.png", "1.png", "2.png", "3.png"]
    sizes = [len(one) for one in all_of_them.kept]
    # An asset's picture counts for no overlay, since the page has it anyway.
    read = drawn_within((sum(sizes) * 4 // 3) // 3)
    assert drawn(read) == ["0.png", "1.png"]
    assert read.text.count("This page holds only so many overlays") == 2
    assert "The asset 3.png" in read.pictures
    assert len(read.kept) == len(set(read.kept)), "what is not shown is not in the page"


def test_each_picture_is_in_the_page_once():
    rows = [with_overlap(flagged_row(f"{n}.png", 9.0 - n)) for n in range(6)]
    contents = [shown_content(row) for row in rows]
    content = Content(
        {path: jpg for one in contents for path, jpg in one.asset_thumbnails.items()},
        contents[0].work_thumbnails,
        asset_frames={
            path: frames for one in contents for path, frames in one.asset_frames.items()
        },
    )
    page = page_of(rows, content=content)
    read = Reader(page)
    assert len(read.pictures) == 18
    assert len(read.kept) == 3, "the asset, the work, and both"
    held = {str(symbol["id"]) for symbol in read.named("symbol")}
    assert {str(use["href"]).removeprefix("#") for use in read.named("use")} == held


def test_a_row_takes_few_bytes():
    """The bounds of docs/risk-table.md, of a detailed photograph with an overlay, of another that
    shows a second work, and of a row without pictures."""
    noise = np.random.default_rng(1).normal(0, 8, (1200, 1600, 3))
    detailed = np.clip(photo(3, 1600, 1200) + noise, 0, 255).astype(np.uint8)
    row = with_overlap(flagged_row("a.png"))
    empty = len(page_of([]))
    assert len(page_of([row], content=shown_content(row, detailed))) - empty < 120_000
    assert len(page_of([row])) - empty < 16_000
    assert len(page_of([no_match_row("a.png")])) - empty < 2_000


def test_pictures_have_twice_the_size_that_they_are_shown_at():
    row = with_overlap(flagged_row("a.png"))
    read = Reader(page_of([row], content=shown_content(row, photo(2, 1600, 1200))))
    for data in read.kept:
        with Image.open(io.BytesIO(data)) as picture:
            assert max(picture.size) <= 480
            assert picture.format == "WEBP"


def test_an_assets_stored_content_is_dropped_with_it():
    collector = ContentCollector(2)
    image = LoadedImage((photo(1),), "PNG")
    for n in range(4):
        collector.add(with_overlap(flagged_row(f"{n}.png", 5.0 + n)), image)
    assert set(collector.frames) == set(collector.thumbnails) == {"2.png", "3.png"}
    assert set(collector.frames["3.png"]) == {"w1"}
    kept_frame = collector.frames["3.png"]["w1"]
    assert len(kept_frame.whole) + len(kept_frame.close or b"") < 150_000


def test_the_rights_are_in_words_and_a_folder_breaks_only_between_its_parts():
    works = {"w1": replace(WORKS["w1"], rights="public_domain")}
    page = page_of([flagged_row("final_team_2026/a.png", 9.0)], works={**WORKS, **works})
    assert "registered as <b><bdi>public domain</bdi></b>" in page
    assert "final_<wbr>team_<wbr>2026" in page
    assert ">public_domain<" not in page
