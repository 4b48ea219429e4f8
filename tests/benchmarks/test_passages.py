"""The passage benchmark: texts, planting with its truth, disguises, figures, and a small run."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.passage_baselines import merged, windows
from benchmarks.passage_chain import Chain
from benchmarks.passage_disguises import HOST, INVISIBLE, LOOKALIKES, NAMES, WORD, Tracked
from benchmarks.passage_figures import (
    bands_by_length,
    clean_line,
    false_reports,
    fates_of,
    line_of,
    shares_covered,
)
from benchmarks.passage_formats import as_srt, write_script
from benchmarks.passage_natural import pairs_of
from benchmarks.passage_planting import WAYS, Planted, Planter, Script
from benchmarks.passage_plays import blocks_of
from benchmarks.passage_plays import main as write_plays
from benchmarks.passage_report import speed_in_markdown
from benchmarks.passage_screening import Case, Finding, Screened, cell_text, findings_of
from benchmarks.passage_speed import write_curve
from benchmarks.passage_texts import Side, Text, cue_length, pool_of, run_hashes, side_of, split_of
from benchmarks.passages import main
from benchmarks.plagdet import Pair
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load

WORDS = 2400
LENGTHS = (15, 80, 200)


def play(seed: int, words: int = WORDS) -> str:
    """A made-up play: its own names, words of a common vocabulary, verse."""
    rng = random.Random(seed)
    letters = random.Random(0)
    vocabulary = [
        "".join(letters.choices("abcdefghilmnoprstuvwy", k=letters.randint(2, 9)))
        for _ in range(3000)
    ]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    cast = [f"{chr(65 + seed % 26)}{name}" for name in ("ldred", "nselma", "rbogast")]
    blocks, count = [f"Title: Play {seed}"], 0
    while count < words:
        lines = []
        for _ in range(rng.randint(1, 7)):
            line = rng.choices(vocabulary, weights, k=rng.randint(5, 9))
            if rng.random() < 0.3:
                line[0] = rng.choice(cast)
            lines.append(" ".join(line).capitalize() + rng.choice(",.;!?"))
            count += len(line)
        blocks.append("\n".join([rng.choice(cast).upper(), *lines]))
    return "\n\n".join(blocks) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Plays, one of them in two editions; what is too short, and what is no text."""
    place = tmp_path_factory.mktemp("texts")
    for number in range(14):
        (place / f"{number:02d}.txt").write_text(play(number), encoding="utf-8")
    (place / "edition").mkdir()
    longer = play(3) + "\nTHE END\nNow it is over.\n"
    (place / "edition" / "03.fountain").write_text(longer, encoding="utf-8")
    (place / "short.txt").write_text("A few words.", encoding="utf-8")
    (place / "bad.txt").write_bytes(b"")
    (place / "picture.png").write_bytes(b"no text")
    return place


@pytest.fixture(scope="module")
def pool(folder):
    return pool_of([folder])


@pytest.fixture(scope="module")
def side(pool):
    return side_of(pool, None, 1, 0.6)


@pytest.fixture(scope="module")
def planter(side):
    return Planter(side, 1, host_words=700)


@pytest.fixture(scope="module")
def scripts(planter):
    return planter.scripts(list(WAYS), LENGTHS, 2)


# Texts --------------------------------------------------------------------------------------------


def test_editions_are_one_work_and_what_is_no_use_is_counted(pool):
    assert len(pool.works) == 14
    assert pool.read == 15
    assert pool.left_out == {"shorter than 2,000 words": 1, "can't be read": 1}
    two = [editions for editions in pool.works if len(editions) == 2]
    assert [text.file.name for text in two[0]] == ["03.fountain", "03.txt"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no folder"):
        pool_of([tmp_path / "none"])


def test_the_sides_share_no_work_and_a_works_side_does_not_depend_on_others(pool):
    sides = {split: side_of(pool, split, 2, 0.6) for split in ("test", "calibration")}
    keys = {
        split: {text.key for text in (*one.works, *one.distractors)} for split, one in sides.items()
    }
    assert not keys["test"] & keys["calibration"]
    assert len(keys["test"] | keys["calibration"]) == 14
    for split, side in sides.items():
        assert not {text.key for text in side.works} & {text.key for text in side.distractors}
        assert len(side.distractors) >= 2
        for text in (*side.works, *side.distractors):
            if text.file.parent.name != "edition":
                assert split_of(text.key, 2) == split


def test_too_few_works_are_refused(pool):
    with pytest.raises(SystemExit, match="too few works"):
        side_of(replace(pool, works=pool.works[:2]), None, 1, 0.6)


@pytest.mark.parametrize(
    ("block", "length"),
    [
        ("ORSINO\nIf music be", 7),
        ("MAR.\nO farewell", 5),
        ("Enter Viola.\nAnd others", 0),
        ("ACT 1", 0),
        ("I\nam no name", 0),
        ("A VERY LONG LINE IN CAPITALS THAT IS NO NAME\nof anybody", 0),
    ],
)
def test_a_cue_is_a_short_line_in_capitals_before_others(block, length):
    assert cue_length(block) == length


def test_runs_of_words_ignore_the_marks_between_words():
    one, other = run_hashes("Come, let us go. And now?", 3), run_hashes("come LET us go and now", 3)
    assert one == other
    assert len(one) == 4
    assert len(set(one)) == 4
    assert run_hashes("two words", 3) == []


# Tracked texts ------------------------------------------------------------------------------------


def test_a_form_of_the_same_length_keeps_its_origin_and_another_its_piece():
    passage = Tracked.lifted("0123456789", 2, 8, 7)
    changed = passage.replaced([(0, 2, "ab"), (3, 3, "+"), (4, 6, "xyz")])
    assert changed.text == "ab4+5xyz"
    assert changed.origin == (2, 3, 4, HOST, 5, HOST, HOST, HOST)
    assert changed.piece == (7,) * 8
    assert changed.source_of(7) == (2, 6)
    script = Tracked.joined([Tracked.host("before "), changed, Tracked.host(" after")])
    assert script.place_of(7) == (7, 15)
    # What is put in at either border is of no piece.
    assert script.replaced([(7, 7, "new "), (15, 15, "!")]).place_of(7) == (11, 19)
    with pytest.raises(ValueError, match="overlap"):
        passage.replaced([(0, 3, ""), (2, 4, "")])


# Planting -----------------------------------------------------------------------------------------


def test_every_way_and_length_has_a_script_with_the_words_asked_for(scripts):
    combinations = {(script.way, script.length) for script in scripts}
    assert combinations == {(way, n) for way in WAYS for n in LENGTHS if n >= WAYS[way].least}
    for script in scripts:
        assert len(script.planted) == 2
        for one in script.planted:
            words = [w for b in _lifted_bodies(one) for w in WORD.findall(b)]
            assert len(words) == script.length
        assert len(WORD.findall(script.tracked.text)) >= 700
    assert len({script.name for script in scripts}) == len(scripts)


def _lifted_bodies(one: Planted) -> list[str]:
    bodies = []
    for block in one.work.blocks:
        start, end = max(block.body, one.start), min(block.end, one.end)
        if start < end:
            bodies.append(one.work.text[start:end])
    return bodies


def test_every_character_that_has_an_origin_is_the_works_or_its_disguise(scripts):
    doubles = {double: letter for letter, many in LOOKALIKES.items() for double in many}
    for script in scripts:
        of_piece = {piece: one.work.text for one in script.planted for piece in one.pieces}
        differ = Counter()
        lifted = 0
        for letter, origin, piece in zip(
            script.tracked.text, script.tracked.origin, script.tracked.piece, strict=True
        ):
            if origin < 0 or piece < 0:
                continue
            lifted += 1
            true = of_piece[piece][origin]
            if letter != true and doubles.get(letter) != true and letter.casefold() != true.lower():
                differ[script.way] += 1
        assert lifted > 50
        if script.way in ("verbatim", "look-alike letters", "invisible characters", "as .fdx"):
            assert not differ, script.way
        assert sum(differ.values()) < lifted, script.way


def test_verbatim_truth_is_the_very_text_on_both_sides(scripts, tmp_path):
    for script in scripts:
        if script.way in ("verbatim", "as .fountain", "as UTF-16 with CRLF"):
            file, places = write_script(script, tmp_path)
            decoded = load(asset_of(file, file.name), Limits()).text
            for one in script.planted:
                (piece,) = one.pieces
                start, end = places[piece]
                planted = decoded[start:end]
                assert ("\r\n" in decoded) == ("CRLF" in script.way)
                assert planted.replace("\r", "") == one.work.text[one.start : one.end]
                assert script.tracked.source_of(piece) == (one.start, one.end)


@pytest.mark.parametrize("suffix", [".fdx", ".docx", ".pdf", ".srt"])
def test_truth_is_found_again_in_other_formats(scripts, tmp_path, suffix):
    for script in scripts:
        if script.suffix != suffix:
            continue
        file, places = write_script(script, tmp_path)
        decoded = load(asset_of(file, file.name), Limits()).text
        for one in script.planted:
            (piece,) = one.pieces
            start, end = places[piece]
            lifted = [b.split() for b in _lifted_bodies(one)]
            decoded_words = decoded[start:end].split()
            assert all(word in decoded_words for words in lifted for word in words)
            if suffix != ".srt":
                assert decoded_words[0] == one.work.text[one.start : one.end].split()[0]
            assert decoded_words[-1] == lifted[-1][-1]
            assert len(decoded_words) < 3 * script.length + 30


def test_a_passage_is_found_with_the_number_of_a_page_among_its_first_letters(tmp_path):
    lines = [f"{place} lines of a host, or of many hosts." for place in range(51)]
    before, text = "\n\n".join(lines), "Am I\nto be parted by a page, and yet be found again whole?"
    tracked = Tracked.joined([Tracked.host(f"{before}\n\n"), Tracked.lifted(text, 0, len(text), 0)])
    work = Text(None, text)  # type: ignore[arg-type]
    for pad in range(60):
        padded = Tracked.joined([Tracked.host("x\n" * pad), tracked])
        script = Script(f"s{pad}", "as .pdf", 15, padded, (Planted(work, 0, 9, (0,)),), work)
        file, places = write_script(script, tmp_path)
        decoded = load(asset_of(file, file.name), Limits()).text
        decoded_words = decoded[slice(*places[0])].split()
        assert decoded_words[0] == "Am"
        assert decoded_words[-1] == "whole?"
        if any(word[:-1].isdecimal() for word in decoded_words[:4]):
            return
    pytest.fail("no page ended there")


def test_subtitles_leave_out_cues_and_keep_lines():
    text = "ANNA\nOne line,\nand two,\nand three.\n\nShe goes.\n"
    subtitles = as_srt(Tracked.host(text)).text
    assert subtitles == (
        "1\n00:00:03,000 --> 00:00:03,900\nOne line,\nand two,\n\n"
        "2\n00:00:06,000 --> 00:00:06,900\nand three.\n\n"
        "3\n00:00:09,000 --> 00:00:09,900\nShe goes.\n"
    )


def test_a_seed_draws_the_same_scripts_and_another_others(planter, side, scripts):
    again = Planter(side, 1, host_words=700).scripts(list(WAYS), LENGTHS, 2)
    assert [script.tracked for script in again] == [script.tracked for script in scripts]
    other = Planter(side, 2, host_words=700).scripts(["verbatim"], (80,), 2)
    same_setting = [s for s in scripts if (s.way, s.length) == ("verbatim", 80)]
    assert other[0].tracked != same_setting[0].tracked


def test_hosts_come_from_distractors_and_share_no_long_run_with_works(planter, scripts, side):
    distractors = {text.key for text in side.distractors}
    runs = {run for work in side.works for run in run_hashes(work.text, 12)}
    for script in (*scripts, *planter.clean(4)):
        assert script.host.key in distractors
    for script in planter.clean(4):
        assert not runs & set(run_hashes(script.tracked.text, 12))


def test_a_host_that_says_what_a_work_says_is_drawn_again(side):
    quoting = Text(side.distractors[0].file, side.works[0].text)
    planter = Planter(Side(side.works, (quoting,)), 1, host_words=700)
    with pytest.raises(SystemExit, match="shares text with registered works"):
        planter.clean(1)
    assert planter.refused["hosts"] > 0


# Disguises ----------------------------------------------------------------------------------------


def _of(scripts, way, length=80) -> Script:
    return next(s for s in scripts if (s.way, s.length) == (way, length))


def _said(script: Script, number: int = 0) -> str:
    start, end = script.tracked.place_of(script.planted[number].pieces[0])
    return script.tracked.text[start:end]


def test_disguises_do_what_they_say(scripts):
    assert any(letter in _said(_of(scripts, "look-alike letters")) for letter in "аеоОΑΕ")
    assert any("！" <= letter <= "～" for letter in _said(_of(scripts, "fullwidth letters")))
    assert any(letter in _said(_of(scripts, "invisible characters")) for letter in INVISIBLE)
    flowed = _of(scripts, "re-flowed", 200).tracked.text
    assert "(MORE)" in flowed
    assert "(CONT'D)" in flowed
    assert "-\n" in _of(scripts, "line-end hyphens").tracked.text
    renamed = _of(scripts, "names swapped")
    cues = [line for line in _said(renamed).split("\n") if line.isupper()]
    assert cues
    assert all(cue.capitalize() in NAMES for cue in cues)


@pytest.mark.parametrize(("way", "share"), [("10 % edited", 0.1), ("30 % edited", 0.3)])
def test_a_share_of_the_words_is_edited(scripts, way, share):
    script = _of(scripts, way, 200)
    for number, one in enumerate(script.planted):
        before = Counter(WORD.findall(one.work.text[one.start : one.end]))
        after = Counter(WORD.findall(_said(script, number)))
        gone = sum((before - after).values())
        # Words that are put in take none away: one edit in five.
        assert 0.55 * share * 200 < gone <= share * 200 + 1


def test_reordered_speeches_are_pieces_none_of_which_follows_the_one_before(scripts):
    script = _of(scripts, "speeches reordered", 200)
    for one in script.planted:
        assert len(one.pieces) > 1
        assert all(b != a + 1 for a, b in pairwise(one.pieces))
        for piece in one.pieces:
            start, end = script.tracked.place_of(piece)
            source = script.tracked.source_of(piece)
            assert script.tracked.text[start:end] == one.work.text[slice(*source)]


# Figures ------------------------------------------------------------------------------------------

WORK = Text(None, "x" * 1000)  # type: ignore[arg-type]


def _case(file: str, length: int, *stretches: tuple[int, int]) -> Case:
    script = Script(file, "verbatim", length, Tracked.host(""), (), WORK)
    pairs = tuple(Pair(file, a, b, "w", a + 500, b + 500) for a, b in stretches)
    return Case(script, file, Planted(WORK, 0, 10, ()), pairs)


def test_a_passage_is_found_if_one_report_of_its_work_covers_half():
    case = _case("a", 40, (100, 200))
    assert shares_covered(case, [Pair("a", 0, 150, "w", 0, 1)]) == (0.5, 0.5)
    assert shares_covered(case, [Pair("a", 0, 150, "other", 0, 1)]) == (0, 0)
    several = [Pair("a", 100, 140, "w", 0, 1), Pair("a", 160, 200, "w", 0, 1)]
    assert shares_covered(case, several) == (0.4, 0.8)
    # Speeches that are not adjacent in the work can't be covered by one report.
    apart = _case("a", 40, (100, 140), (140, 200))
    assert shares_covered(apart, several) == (0.8, 0.8)


def test_fates_and_lines():
    cases = [_case("a", 40, (100, 200)), _case("b", 80, (100, 200))]
    reports = [Pair("a", 100, 200, "w", 600, 700), Pair("b", 300, 400, "w", 0, 100)]
    answer = Screened(
        tuple(Finding(one, 9, 1.0, "3 letters" if one.script == "a" else "") for one in reports),
        {"a": "escalate", "b": "info"},
        {},
        {"b": "told of the row"},
    )
    fates = fates_of(cases, answer)
    assert [fate.found for fate in fates] == [True, False]
    # Of a passage that was not met, nothing was reported.
    assert [fate.obfuscation for fate in fates] == ["3 letters", ""]
    assert bands_by_length(fates) == {"40": {"escalate": 1}, "80": {"info": 1}}
    line = line_of(cases, reports)
    assert (line["found"], line["passages"], line["plagdet"]) == (1, 2, 0.5)
    assert false_reports(cases, reports) == reports[1:]
    assert clean_line(500, ["c", "d"], reports[1:])["per_100_pages"] == 50


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        (None, ""),
        (pd.NA, ""),
        (float("nan"), ""),
        (0, ""),
        (False, ""),
        ("", ""),
        ("[]", ""),
        (np.array([], object), ""),
        (3, "3"),
        (True, "True"),
        ("3 look-alike letters", "3 look-alike letters"),
        (np.array(["a", None], object), "a"),
        ({"zero-width": 2, "bidi": 0}, "zero-width: 2"),
    ],
)
def test_what_a_cell_says_of_disguised_characters(cell, what):
    assert cell_text(cell) == what


def test_reports_are_read_from_a_run_with_and_without_such_a_column():
    row = {
        "asset_path": "s.txt", "work_id": "w.txt", "asset_start": 5, "asset_end": 9,
        "work_start": 1, "work_end": 4, "words": 2, "identity": 1.0,
    }  # fmt: skip
    empty = row | {"asset_end": 5}
    run = SimpleNamespace(passages=pd.DataFrame([row, empty]).convert_dtypes())
    assert findings_of(run) == [Finding(Pair("s.txt", 5, 9, "w.txt", 1, 4), 2, 1.0)]
    with_obfuscation = [row | {"obfuscation": "2 zero-width"}, row | {"obfuscation": None}]
    run = SimpleNamespace(passages=pd.DataFrame(with_obfuscation).convert_dtypes())
    assert [one.obfuscation for one in findings_of(run)] == ["2 zero-width", ""]


def test_windows_find_what_is_verbatim_and_merge_into_one():
    words = play(1).split()
    script, work = " ".join(words[:400]), " ".join(words[100:800])
    pairs = windows({"s": script}, {"w": work})
    assert len(pairs) > 4
    (one,) = merged(pairs)
    assert one.start < len(" ".join(words[:100]))
    assert one.end == len(script)
    assert merged([]) == []
    apart = [Pair("s", 0, 10, "w", 0, 10), Pair("s", 5, 15, "w", 90, 99)]
    assert merged(apart) == apart


# Synthetic words, natural pairs, other languages --------------------------------------------------


def test_a_chain_draws_the_same_scripts_of_a_seed():
    chain = Chain([play(1), play(2)])
    one, two = chain.scripts(2, 500, 5), chain.scripts(2, 500, 5)
    assert one == two
    assert one[0] != one[1]
    text = Text(None, one[0])  # type: ignore[arg-type]
    assert sum(len(one[0][b.body : b.end].split()) for b in text.blocks) == 500
    with pytest.raises(ValueError, match="no words"):
        Chain([""])


def test_natural_pairs_are_read_and_pictures_passed_over(folder, tmp_path):
    file = folder / "pairs.json"
    pairs = [
        {"query": "00.txt", "reference": "01.txt", "label": "same_work"},
        {"query": "picture.png", "reference": "picture.png", "label": "same_work"},
    ]
    file.write_text(json.dumps(pairs))
    natural_pairs = pairs_of(file, [(folder / "02.txt", folder / "04.txt")])
    assert [pair.label for pair in natural_pairs] == ["same_work", "other_work"]
    with pytest.raises(SystemExit, match="no file"):
        pairs_of(None, [(folder / "02.txt", tmp_path / "none.txt")])
    file.write_text(json.dumps([pairs[0] | {"label": "twin"}]))
    with pytest.raises(SystemExit, match="no label"):
        pairs_of(file, [])


TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><p>About</p></teiHeader>
<text><front><p>To the reader</p></front><body><div><head>Erster <hi>Akt</hi></head>
<stage>Ein Zimmer.</stage><pb n="3"/>
<sp><speaker>Betty. </speaker><p>Gnädiges
  <emph>Fräulein</emph>?<note>So die erste Ausgabe.</note> Sie riefen.</p></sp>
<sp><speaker>Graf</speaker><stage>(lacht)</stage><lg><l>Wohl, </l><l>so sei es!</l></lg></sp>
</div></body></text></TEI>"""


def test_a_play_in_tei_becomes_blocks(tmp_path):
    (tmp_path / "tei").mkdir()
    for name in "abcd":
        (tmp_path / "tei" / f"{name}.xml").write_text(TEI, encoding="utf-8")
    assert blocks_of(tmp_path / "tei" / "a.xml") == [
        "Erster Akt",
        "Ein Zimmer.",
        "BETTY\nGnädiges Fräulein? Sie riefen.",
        "GRAF\n(lacht)\nWohl,\nso sei es!",
    ]
    write_plays(["--tei", str(tmp_path / "tei"), "--out", str(tmp_path / "out"), "--count", "2"])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.txt", "c.txt"]
    (tmp_path / "tei" / "a.xml").write_text("<TEI/>")
    with pytest.raises(ValueError, match="no text in TEI"):
        blocks_of(tmp_path / "tei" / "a.xml")


def test_speed_as_a_table_and_a_picture(tmp_path):
    line = {
        "words": 1_000_000, "words_per_second": 2e5, "bare_words_per_second": 1e5,
        "times_as_fast": 2.0, "lowest": 1.9, "highest": 2.1, "fingerprint_words_per_second": 4e5,
        "search_words_per_second": 4e5, "time_beside_first": 1.0, "index_mib": 20.0,
        "peak_mib": 900.0,
    }  # fmt: skip
    speed = {"set": "Synthetic.", "sizes": [line, {"words": 10_000_000, "fault": "not measured"}]}
    assert "| 1,000,000 | 200,000 | 100,000 | 2.00 (1.90–2.10) |" in speed_in_markdown(speed)
    assert "| 10,000,000 | not measured |" in speed_in_markdown(speed)
    write_curve(speed, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").read_bytes()[:4] == b"\x89PNG"


# A run --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_small_run(folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--texts", str(folder), "--out", str(out), "--split", "test", "--seed", "2"]
    arguments += ["--lengths", "40", "200", "--ways", "verbatim", "look-alike letters", "as .pdf"]
    arguments += ["--each", "1", "--clean", "2", "--host-words", "700", "--rounds", "0"]
    arguments += ["--apart", str(folder / "00.txt"), str(folder / "01.txt")]
    main(arguments)
    page = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert (out / "results.md").read_text() in page
    assert str(folder) not in (out / "results.md").read_text()
    texts = results["texts"]
    assert texts["lines"]["cells"]["verbatim"]["200"]["found"] == 1
    assert texts["methods"]["datasketch, whole files"]["found"] == 0
    assert texts["clean_bands"]["flagged"] == 0
    assert set(texts["lines"]["ways"]) == {"verbatim", "look-alike letters", "as .pdf"}
    with (out / "passages.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6
    drop = {file.name for file in (out / "drop").iterdir()}
    assert {row["script"] for row in rows} <= drop
    assert results["natural"][0]["label"] == "other_work"
    missed = sum(row["found"] == "false" for row in rows)
    assert (out / "misses.md").read_text().startswith(f"# Missed passages: {missed} of 6")


def test_a_folder_of_something_else_is_not_changed(tmp_path, folder):
    (tmp_path / "works").mkdir()
    with pytest.raises(SystemExit, match="something else"):
        main(["--texts", str(folder), "--out", str(tmp_path)])
