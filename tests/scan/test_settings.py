"""The configuration of nightly scans."""

import json
import re

import pytest

from pipeline.core.errors import ConfigError
from pipeline.scan.events import Event
from pipeline.scan.output.delta import Cause, Change, delta_schema
from pipeline.scan.settings import Drop, Notify, ScanSettings, Settle, load_settings
from pipeline.screening.config import configs_folder


def settings(tmp_path, text):
    file = tmp_path / "nightly.yaml"
    file.write_text(text)
    return load_settings(file)


GOOD = "index: i\nout: o\ndrops:\n  a: {path: d}\n"


def test_the_one_that_ships_states_every_default(tmp_path):
    shipped = load_settings(configs_folder() / "nightly.yaml")
    least = settings(
        tmp_path, "index: ../index\nout: ../scan\ndrops: {incoming: {path: ../drops/incoming}}"
    )
    assert shipped.model_dump() == least.model_dump()


def test_paths_are_relative_to_the_file(tmp_path):
    loaded = settings(tmp_path, GOOD)
    assert loaded.place(loaded.index) == tmp_path / "i"
    assert loaded.place("/abs") == tmp_path.__class__("/abs")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index: i\nout: o\ndrops: {}\n", "drops"),
        (GOOD + "dorps: 1\n", "dorps"),
        (GOOD.replace("a:", "a/b:"), "drops"),
        (GOOD.replace("{path: d}", "{path: d, settle: {seconds: -1}}"), "seconds"),
        (GOOD.replace("{path: d}", "{path: d, settle: {marker: a/b}}"), "marker"),
        (GOOD + "  b: {path: d}\n", "same folder"),
        (GOOD + "keep_days: 0\n", "keep_days"),
        ("", "index"),
        (GOOD.replace("out: o", "out: s3://bucket/o"), "out: it must be a path on this machine"),
        (GOOD.replace("index: i", "index: s3://bucket/i"), "index: it must be a path on this"),
        (GOOD.replace("out: o", 'out: "o\\0x"'), "NUL"),
        (GOOD.replace("{path: d}", '{path: "d\\0"}'), "NUL"),
        (GOOD.replace("out: o", "out: ~nobody-at-all/o"), "home folder"),
        (GOOD.replace("  a:", '  "a b":'), "a drop's name has letters"),
        (GOOD.replace("  a: {path: d}", "  {}"), "name at least one drop"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        settings(tmp_path, text)


def test_all_faults_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, GOOD + "keep_days: x\nversion: 2\n")
    assert len(caught.value.problems) == 2


def test_every_key_is_documented():
    page = (configs_folder().parent / "docs" / "nightly.md").read_text(encoding="utf-8")
    keys = ["index", "screening", "out", "keep_days", "record"]
    keys += [f"drops.NAME.{name}" for name in ("path", "may_be_empty")]
    keys += [f"drops.NAME.settle.{name}" for name in Settle.model_fields]
    keys += [f"notify.{name}" for name in Notify.model_fields]
    assert set(ScanSettings.model_fields) == {
        "version", "index", "out", "screening", "drops", "keep_days", "record", "notify",
    }  # fmt: skip
    for word in (*keys, *Change, *Cause, *delta_schema().names):
        assert f"`{word}`" in page, word


def test_every_default_is_documented():
    page = (configs_folder().parent / "docs" / "nightly.md").read_text(encoding="utf-8")
    page = page.partition("## What is screened again")[0]
    stated = dict(re.findall(r"^\| `([a-zA-Z_.]+)` \| `([^`]+)` \|", page, re.MULTILINE))
    defaults = {}
    for place, model in (
        ("", ScanSettings), ("drops.NAME.", Drop), ("drops.NAME.settle.", Settle),
        ("notify.", Notify),
    ):  # fmt: skip
        for name, field in model.model_fields.items():
            if not field.is_required() and name not in {"settle", "notify"}:
                defaults[f"{place}{name}"] = field.default
    written = {key: "[]" if value == () else json.dumps(value) for key, value in defaults.items()}
    assert stated == {key: text.strip('"') for key, text in written.items()}


def test_every_event_is_documented():
    page = (configs_folder().parent / "docs" / "nightly.md").read_text(encoding="utf-8")
    assert [event for event in Event if f"`{event}`" not in page] == []


def test_one_folder_under_two_names_is_refused(studio):
    (studio.folder / "link").symlink_to(studio.drop)
    drops = {name: {"path": path} for name, path in (("a", "drop"), ("b", "link"))}
    with pytest.raises(ConfigError, match="The drops a and b are the same folder"):
        studio.scan(drops=drops)
