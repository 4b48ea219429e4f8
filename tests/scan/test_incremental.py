"""Only what changed is computed again, and the results equal those of a first scan."""

import random
import shutil

import pyarrow.parquet as pq
import pytest
from scan_samples import bands, jpeg, png, words

from pipeline.load.workers.pool import Workers
from pipeline.scan.run import scan
from pipeline.scan.settings import load_settings
from pipeline.screening.register import create_index
from pipeline.stages import clip_embedding
from reference_index.store import ReferenceIndex

RUN = ["run_id"]
SETTLED = ["clip_margin", "contribution_clip_embedding", "risk", "reasons", "text_score"]
"""Figures that rest on the other works of the index too: contents that added works do not concern
keep those of the earlier index."""


@pytest.fixture
def loads(monkeypatch):
    paths = []
    load = Workers.load

    def counted(self, asset):
        paths.append(asset.asset_path)
        return load(self, asset)

    monkeypatch.setattr(Workers, "load", counted)
    return paths


def fresh(studio, number):
    """The risk table of a scan into a new scan directory."""
    studio.scan(f"fresh{number}")
    rows = studio.read(f"fresh{number}").risk_rows
    shutil.rmtree(studio.out(f"fresh{number}"))
    return rows.drop_columns(RUN)


def test_nothing_changed_nothing_is_done(studio, loads):
    studio.scan()
    before = studio.read().risk_rows.drop_columns(RUN)
    assert len(loads) == 4 + 2, "each file, and the flagged ones for the page"
    loads.clear()
    done = studio.scan()
    assert loads == []
    assert done.summary["read"] == 0
    assert not any(done.summary["changes"].values())
    page = (done.folder / "delta.html").read_text(encoding="utf-8")
    assert "Nothing changed. The reference index holds" in page
    assert studio.read().risk_rows.drop_columns(RUN).equals(before)


def test_an_unchanged_drop_is_scanned_without_loading_a_model(studio, monkeypatch):
    studio.scan()

    def refused(name):
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr(clip_embedding, "load_model", refused)
    studio.scan()
    assert bands(studio.read())["a/copy.jpg"] == "escalate"


def test_other_bands_are_cut_without_looking_at_files(studio, loads):
    studio.scan()
    loads.clear()
    studio.screening["bands"] = {"escalate": 1.0, "review": 0.5}
    messages = []
    done = scan(load_settings(studio.config()), on_message=messages.append)
    assert done.summary["changes"]["fallen"] == 2
    # Only for the page, which shows the changed rows.
    assert sorted(loads) == ["a/copy.jpg", "a/script.txt"]
    assert "4 to keep with the previous results." in messages
    assert studio.read().risk_rows.drop_columns(RUN).equals(fresh(studio, 1))


def test_a_stages_setting_searches_its_kind_again_with_kept_fingerprints(studio, loads):
    studio.scan()
    loads.clear()
    studio.screening["stages"] = {"perceptual_hash": {"pdq_max_distance": 20}}
    studio.scan()
    assert loads == []
    assert studio.read().risk_rows.drop_columns(RUN).equals(fresh(studio, 1))


def test_another_limit_loads_everything_again(studio, loads):
    studio.scan()
    loads.clear()
    studio.screening["limits"] = {"max_pixels": 1000}
    done = studio.scan()
    assert len(loads) >= 4
    assert done.summary["changes"]["newly_not_screened"] == 2
    assert studio.read().risk_rows.drop_columns(RUN).equals(fresh(studio, 1))


def test_an_added_work_is_compared_with_kept_fingerprints(studio, loads):
    studio.scan()
    studio.works(fifty=png(50))
    loads.clear()
    done = studio.scan()
    # For the page, which shows it.
    assert loads == ["a/none.png"]
    [row] = [r for r in done_delta(studio) if r["change"] == "newly_flagged"]
    assert (row["asset_path"], row["why"]) == ("a/none.png", "work added")
    assert done.summary["flagged_anew"]["escalate"] == 1
    assert bands(studio.read())["a/none.png"] == "escalate"


def test_a_removed_work_takes_its_evidence_with_it(studio, loads):
    studio.scan()
    loads.clear()
    ReferenceIndex.open(studio.index).remove(["one"])
    studio.scan()
    assert loads == []
    [row] = [r for r in done_delta(studio) if r["change"] == "fallen"]
    assert (row["asset_path"], row["why"]) == ("a/copy.jpg", "work removed")
    assert studio.read().risk_rows.drop_columns(RUN).equals(fresh(studio, 1))


def test_a_rebuilt_index_is_another_index(studio, loads):
    studio.scan()
    loads.clear()
    shutil.rmtree(studio.index)
    create_index(studio.index)
    studio.works(two=png(2))
    studio.scan()
    assert bands(studio.read())["a/copy.jpg"] == "no_match"
    # The index has no scripts left, which the rows of scripts say.
    assert bands(studio.read())["a/script.txt"] == "not_screened"


def done_delta(studio):
    return pq.read_table(studio.out() / "latest" / "delta.parquet").to_pylist()


@pytest.mark.slow
def test_any_sequence_of_changes_ends_as_a_first_scan_would(studio):
    rng = random.Random(1)
    kinds = ("add", "change", "remove", "rename", "twin", "work", "gone", "cut")
    works = {"one": 1, "two": 2}
    studio.scan()
    for step, kind in enumerate(kinds):
        match kind:
            case "add":
                studio.put(f"new{step}.jpg", jpeg(rng.choice([1, 2, 60 + step])))
                studio.put(f"in/new{step}.txt", words(rng.choice([3, 70 + step]), 120))
            case "change":
                chosen(studio, rng).write_bytes(jpeg(rng.choice([1, 2, 80 + step]), 70))
            case "remove":
                chosen(studio, rng).unlink()
            case "rename":
                file = chosen(studio, rng)
                file.rename(file.with_name(f"moved{step}{file.suffix}"))
            case "twin":
                studio.put(f"twin{step}.png", chosen(studio, rng).read_bytes())
            case "work":
                works[f"w{step}"] = 60 + step
                studio.works(**{f"w{step}": png(60 + step)})
            case "gone" if len(works) > 1:
                work = rng.choice(sorted(works))
                del works[work]
                ReferenceIndex.open(studio.index).remove([work])
            case _:
                cut = rng.choice([0.5, 0.9, 0.99])
                studio.screening["bands"] = {"escalate": cut, "review": 0.2}
        studio.scan()
        rows = studio.read().risk_rows.drop_columns(RUN)
        first = fresh(studio, step)
        exact = [name for name in rows.column_names if name not in SETTLED]
        assert rows.select(exact).equals(first.select(exact))


def chosen(studio, rng):
    return rng.choice(sorted(file for file in studio.drop.rglob("*") if file.is_file()))
