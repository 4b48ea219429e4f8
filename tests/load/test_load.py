"""`load`: any file gives pixels, text or a fault, and never another file's content."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from load_samples import (
    animation,
    checked,
    content,
    detailed,
    encoded,
    final_draft,
    paragraph,
    pdf,
    reason,
    word_document,
    words_at,
)

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.drops.discover import asset_of
from pipeline.load.formats import IMAGE_SUFFIXES, SCRIPT_SUFFIXES
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage, LoadedScript

SMALL = Limits(max_pixels=100_000, max_frames=4, max_file_bytes=10_000, max_unpacked_bytes=10_000)
SUFFIXES = sorted({*IMAGE_SUFFIXES, *SCRIPT_SUFFIXES, ""})
TINY = detailed(0, (9, 7))
WHOLE = [
    *(encoded(TINY, name) for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")),
    animation([TINY, detailed(1, (9, 7))], "GIF"),
    animation([TINY, detailed(1, (9, 7))], "WEBP"),
    pdf([words_at("words on a page")]),
    word_document(paragraph("words in a paragraph")),
    final_draft("<Paragraph Type='Action'><Text>words</Text></Paragraph>"),
    b"1\n00:00:01,000 --> 00:00:02,000\n<i>words</i>\n",
    b"WEBVTT\n\n00:01.000 --> 00:02.000\nwords\n",
    "Élan vital".encode("utf-16"),
]


@st.composite
def damaged(draw):
    """A whole file of some format with bytes changed, left out or added."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "add", "drop"])):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del data[at:]
            case "add":
                data[at:at] = draw(st.binary(max_size=8))
            case "drop":
                del data[at : at + draw(st.integers(1, 20))]
    return bytes(data)


@settings(max_examples=500)
@given(suffix=st.sampled_from(SUFFIXES), data=st.one_of(st.binary(max_size=200), damaged()))
def test_any_bytes_under_any_name_load_or_have_a_fault(suffix, data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"a{suffix}"
        file.write_bytes(data)
        asset = asset_of(file, file.name)
        assert asset.asset_id is not None
        result = checked(load(asset, SMALL))
        if isinstance(result, Fault):
            assert result.reason is not Reason.UNREADABLE, "the file could be read"
        else:
            assert asset.kind is (Kind.IMAGE if isinstance(result, LoadedImage) else Kind.SCRIPT)


@pytest.mark.parametrize("data", WHOLE)
def test_the_same_file_gives_the_same_result(read, data):
    one, other = read("a.txt", data), read("b.txt", data)
    if isinstance(one, LoadedScript):
        assert one == other
    else:
        assert all((a == b).all() for a, b in zip(one.frames, other.frames, strict=True))


def discovered(tmp_path, name="a.txt", data=b"as it was found"):
    file = tmp_path / name
    file.write_bytes(data)
    return file, asset_of(file, name)


@pytest.mark.parametrize("later", [b"as it was FOUND", b"", b"longer than it was found before"])
def test_a_file_that_changed_after_discovery_is_refused(tmp_path, later):
    file, asset = discovered(tmp_path)
    file.write_bytes(later)
    result = checked(load(asset, Limits()))
    assert reason(result) is Reason.UNREADABLE
    assert "changed" in result.detail


def test_a_file_that_was_rewritten_with_the_same_bytes_is_the_same_file(tmp_path):
    file, asset = discovered(tmp_path)
    file.unlink()
    file.write_bytes(b"as it was found")
    assert content(load(asset, Limits())) == ["as it was found"]


def test_a_file_that_is_gone_after_discovery(tmp_path):
    file, asset = discovered(tmp_path)
    file.unlink()
    result = checked(load(asset, Limits()))
    assert reason(result) is Reason.UNREADABLE
    assert "not there" in result.detail


def test_a_file_replaced_by_a_pipe_or_folder(tmp_path):
    import os

    file, asset = discovered(tmp_path)
    file.unlink()
    os.mkfifo(file)
    assert reason(load(asset, Limits())) is Reason.NOT_A_FILE
    file.unlink()
    file.mkdir()
    assert reason(load(asset, Limits())) is Reason.NOT_A_FILE


def test_a_fault_of_discovery_is_the_fault_of_loading(tmp_path):
    fault = Fault(Reason.NOT_A_FILE, "it is a named pipe, not a file")
    asset = Asset(tmp_path / "gone", "gone", None, Kind.OTHER, None, fault)
    assert load(asset, Limits()) is fault


@pytest.mark.parametrize("name", ["a.txt", "a.png"])
def test_a_disk_that_fails_is_not_a_damaged_file(tmp_path, monkeypatch, name):
    """EIO while reading: the file may be whole, so it is unreadable and not corrupt."""
    data = encoded(TINY, "PNG") if name == "a.png" else b"words"
    _, asset = discovered(tmp_path, name, data)

    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.load.load.digest_of", failing)
    result = checked(load(asset, Limits()))
    assert reason(result) is Reason.UNREADABLE
    assert "input/output error" in result.detail


def test_a_failing_disk_under_a_word_document(tmp_path, monkeypatch):
    _, asset = discovered(tmp_path, "a.docx", word_document(paragraph("words")))

    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.load.script.docx._story", failing)
    assert reason(load(asset, Limits())) is Reason.UNREADABLE


def test_a_file_without_the_right_to_read_it(tmp_path, monkeypatch):
    """Simulated, because the account that runs the tests may read everything."""
    _, asset = discovered(tmp_path)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipeline.load.opening.os.open", denied)
    result = checked(load(asset, Limits()))
    assert reason(result) is Reason.UNREADABLE
    assert "permission denied" in result.detail


def test_messages_of_decoders_are_made_printable(tmp_path, monkeypatch):
    def loud(*_):
        raise RuntimeError("first\nsecond \x1b[2J " + "long " * 100)

    monkeypatch.setattr("pipeline.load.script.scripts.load_script", loud)
    _, asset = discovered(tmp_path)
    result = checked(load(asset, Limits()))
    assert reason(result) is Reason.CORRUPT
    assert len(result.detail) < 300
