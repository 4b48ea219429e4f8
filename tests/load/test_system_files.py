"""Files that operating systems leave in folders are told from assets by name and content."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from pipeline.core.errors import Reason
from pipeline.core.records import Kind
from pipeline.drops.discover import asset_of
from pipeline.load.formats import HEAD_BYTES, is_system_file, recognise

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(40)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".DS_Store", b"\x00\x00\x00\x01Bud1" + bytes(100)),
        (".DS_Store", b""),
        (".localized", b""),
        ("Icon\r", b""),
        ("Thumbs.db", OLE),
        ("thumbs.db", OLE),
        ("desktop.ini", b"[.ShellClassInfo]\r\nIconResource=x"),
        ("Desktop.ini", b"\xef\xbb\xbf\r\n[ViewState]\r\n"),
        ("desktop.ini", "\ufeff\r\n[.ShellClassInfo]".encode("utf-16-le")),
        ("._poster.jpg", APPLE_DOUBLE),
        ("._scene.txt", APPLE_DOUBLE),
        ("._film.mov", APPLE_DOUBLE),
    ],
)
def test_system_files(name, content):
    recognised = recognise(name, content[:HEAD_BYTES])
    assert recognised.kind is Kind.OTHER
    assert recognised.fault.reason is Reason.SYSTEM_FILE


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("._poster.jpg", jpeg(), Kind.IMAGE),
        (".DS_Store", jpeg(), Kind.IMAGE),
        ("Thumbs.db", jpeg(), Kind.IMAGE),
        ("desktop.ini", b"INT. KITCHEN - NIGHT\n\nA lamp.\n", Kind.OTHER),
        ("._scene.txt", b"INT. KITCHEN - NIGHT\n\nA lamp.\n", Kind.SCRIPT),
        ("poster.jpg", APPLE_DOUBLE, Kind.IMAGE),
        ("._empty.png", b"", Kind.IMAGE),
        ("Thumbs.db.jpg", OLE, Kind.IMAGE),
    ],
)
def test_an_asset_with_such_a_name_or_such_content_is_an_asset(name, content, kind):
    assert not is_system_file(name, content)
    recognised = recognise(name, content[:HEAD_BYTES])
    assert recognised.kind is kind
    assert recognised.fault is None or recognised.fault.reason is not Reason.SYSTEM_FILE


def test_a_fetched_object_is_known_by_its_path_in_the_drop(tmp_path):
    file = tmp_path / "00000001"
    file.write_bytes(b"\x00\x00\x00\x01Bud1" + bytes(100))
    asset = asset_of(file, "pictures/.DS_Store")
    assert (asset.kind, asset.fault.reason) == (Kind.OTHER, Reason.SYSTEM_FILE)
    assert asset_of(file, "pictures/poster.jpg").fault.reason is Reason.UNSUPPORTED
