"""Two hundred files, of which some twenty are broken in different ways: none is lost."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

TOTAL = 200


def good_picture(seed):
    """Blocks and noise: detailed enough to hash, like no other seed's."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(blocks).resize((160, 120), Image.Resampling.BICUBIC))
    noise = rng.integers(-20, 20, picture.shape)
    return Image.fromarray(np.clip(picture + noise, 0, 255).astype(np.uint8))


def make_drop(folder, photo):
    """The drop; the names of the broken files in it."""
    folder.mkdir()
    whole = folder.parent / "whole.jpg"
    photo.save(whole)
    jpeg = whole.read_bytes()
    broken = {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "head_only.jpg": jpeg[:30],
        "empty.png": b"",
        "zero.fountain": b"",
        "text.png": b"This is a text that somebody named as a picture, with words enough.",
        "wrong_extension.gif": b"%PDF-1.4 not really",
        "random.webp": bytes(range(256)) * 20,
        "clip.mp4": b"\x00\x00\x00\x18ftypmp42" + bytes(200),
        "design.psd": b"8BPS\x00\x01" + bytes(200),
        "not_a_zip.docx": b"PK\x03\x04 but no more",
        "bad.pdf": b"%PDF-1.7\n1 0 obj << broken",
        "bomb.fdx": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
        b"<FinalDraft><Content><Paragraph><Text>&b;</Text></Paragraph></Content></FinalDraft>",
        "binary.txt": bytes(np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8)),
        "blank.txt": b" \n\t\n ",
        "few.txt": b"only five words stand here",
        "name\nwith newline.png": b"\x89PNG\r\n\x1a\n cut short",
        "=cmd()|' -C calc'!A0.jpg": jpeg[:200],
        "<script>alert(1)</script>.png".replace("/", "_"): b"GIF89a cut",
    }
    for name, data in broken.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "empty_zip.docx", "w"):
        pass
    Image.new("RGB", (200, 200), "white").save(folder / "white.png")
    (folder / "loop").mkdir()
    (folder / "loop" / "again").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe.txt")
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    names = {*broken, "empty_zip.docx", "white.png", "loop/again", "pipe.txt", "dangling.jpg"}
    forbidden = folder / "forbidden.png"
    photo.resize((64, 64)).save(forbidden)
    forbidden.chmod(0)
    names.add("forbidden.png")
    raw = os.fsencode(folder) + b"/latin-\xe9.txt"
    with open(raw, "wb") as file:  # noqa: PTH123 - a name that is not Unicode has no Path.open
        file.write(
            "Café words in an old encoding, enough of them to be read: été, naïve.".encode(
                "latin-1"
            )
        )
    for number in range(TOTAL - len(names) - 1):
        sub = folder / f"shot_{number % 7}"
        sub.mkdir(exist_ok=True)
        good_picture(number).save(sub / f"frame {number:03d}.png")
    return names


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, index, photos):
    """The drop screened in a process of its own, without the right to read everything."""
    base = tmp_path_factory.mktemp("hostile")
    names = make_drop(base / "drop", photos["rocket"])
    command = [
        sys.executable, "-m", "pipeline", "screen", base / "drop", "--index", index, "--out",
        base / "out",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return base, names, done, pd.read_parquet(base / "out" / "risk_table.parquet")


def test_two_hundred_rows_and_none_missing(hostile):
    base, names, done, table = hostile
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert len(table) == TOTAL
    assert table["asset_path"].is_unique
    assert names <= set(table["asset_path"])
    with (base / "out" / "risk_table.csv").open(newline="", encoding="utf-8-sig") as file:
        assert len(list(csv.DictReader(file))) == TOTAL


def test_no_broken_file_is_a_no_match(hostile):
    _, names, _, table = hostile
    readable_by_root = {"forbidden.png"} if os.geteuid() == 0 else set()
    rows = table[table["asset_path"].isin(names - readable_by_root)]
    assert set(rows["band"]) == {"not_screened"}
    assert rows["risk"].isna().all()
    assert (rows["reasons"].str.len() > 20).all()


def test_a_no_match_was_screened_by_every_stage_of_its_kind(hostile):
    *_, table = hostile
    for _, row in table[table["band"] == "no_match"].iterrows():
        stages = {
            "image": ["outcome_perceptual_hash", "outcome_clip_embedding"],
            "script": ["outcome_text_overlap"],
        }[row["kind"]]
        assert {row[stage] for stage in stages} == {"no_match"}


def test_unrelated_good_pictures_are_not_flagged(hostile):
    _, _names, _, table = hostile
    good = table[table["asset_path"].str.startswith("shot_")]
    assert len(good) > 150
    assert (good["band"] == "no_match").all(), good[good["band"] != "no_match"]["reasons"].tolist()


def test_the_report_shows_names_as_text_and_makes_no_network_request(hostile):
    base, *_ = hostile
    page = (base / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "name\\nwith newline.png" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)


def test_no_cell_of_the_csv_can_be_run(hostile):
    base, *_ = hostile
    with (base / "out" / "risk_table.csv").open(newline="", encoding="utf-8-sig") as file:
        for row in csv.reader(file):
            for cell in row:
                if cell[:1] in "=+-@\t\r\n" and cell:
                    float(cell)
