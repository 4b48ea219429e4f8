import json

import numpy as np
import pytest

from reference_index.array_cache import cached_arrays


class Building:
    """Builds the same arrays each time and counts."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return {"keys": np.arange(1000, dtype=np.uint32), "none": np.empty(0, np.int64)}


@pytest.fixture
def build():
    return Building()


def same(arrays):
    assert sorted(arrays) == ["keys", "none"]
    assert np.array_equal(arrays["keys"], np.arange(1000))
    assert arrays["keys"].dtype == np.uint32
    assert len(arrays["none"]) == 0


def test_arrays_are_built_once_and_then_mapped(tmp_path, build):
    folder = tmp_path / "cache" / "text-abc"
    for _ in range(3):
        same(cached_arrays(folder, "grams", build))
    assert build.times == 1
    assert isinstance(cached_arrays(folder, "grams", build)["keys"], np.memmap)
    assert not cached_arrays(folder, "grams", build)["keys"].flags.writeable


@pytest.mark.parametrize(
    "damage",
    [
        "flip", "cut", "emptied", "gone", "all gone", "record", "empty record", "half a record",
        "other type",
    ],
)  # fmt: skip
def test_damaged_arrays_are_rebuilt(tmp_path, build, damage):
    folder = tmp_path / "cache" / "text-abc"
    cached_arrays(folder, "grams", build)
    file = folder / "grams" / "keys.npy"
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[-7] ^= 1
        file.write_bytes(data)
    elif damage == "cut":
        file.write_bytes(data[:-400])
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "gone":
        file.unlink()
    elif damage == "all gone":
        for one in (file, folder / "grams" / "none.npy"):
            one.unlink()
        (folder / "grams" / "arrays.json").write_text("{}")
    elif damage == "record":
        (folder / "grams" / "arrays.json").write_text("[1]")
    elif damage == "empty record":
        (folder / "grams" / "arrays.json").write_text("{}")
    elif damage == "half a record":
        record = json.loads((folder / "grams" / "arrays.json").read_text())
        (folder / "grams" / "arrays.json").write_text(json.dumps({"keys": record["keys"]}))
    else:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    same(cached_arrays(folder, "grams", build))
    assert build.times == 2
    same(cached_arrays(folder, "grams", build))
    assert build.times == 2


def test_arrays_of_another_version_go(tmp_path, build):
    cached_arrays(tmp_path / "cache" / "text-abc", "grams", build)
    cached_arrays(tmp_path / "cache" / "text_2-abc", "grams", build)
    cached_arrays(tmp_path / "cache" / "text-def", "grams", build)
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == ["text-def", "text_2-abc"]


def test_where_nothing_can_be_written_they_stay_in_memory(tmp_path, build):
    same(cached_arrays(None, "grams", build))
    (tmp_path / "cache").write_text("a file where the folder would be")
    same(cached_arrays(tmp_path / "cache" / "text-abc", "grams", build))
    assert build.times == 2
