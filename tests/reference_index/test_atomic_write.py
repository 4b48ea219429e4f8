"""Files are written in one step, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reference_index.atomic_write import new_file, write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    write_atomically(file, b"one")
    write_atomically(file, b"two", flush=False)
    assert file.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [file]


def test_permissions_are_those_asked_for(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_failure_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(b"earlier")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"earlier")
    with pytest.raises(FileExistsError), new_file(tmp_path / "key"):
        pass
    assert (tmp_path / "key").read_bytes() == b"earlier"
