"""The shipped configuration equals the code's defaults; all faults of a bad file are reported."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from pipeline.core.errors import ConfigError
from pipeline.screening import config as config_module
from pipeline.screening.config import Config, configs_folder, load_config
from pipeline.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def leaves(model: type[BaseModel], place: str = "") -> dict[str, object]:
    """Every key that can be set, dotted, with its default."""
    defaults: dict[str, object] = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            defaults.update(leaves(inner, f"{place}{name}."))
        else:
            defaults[f"{place}{name}"] = field.get_default(call_default_factory=True)
    return defaults


def flat(values: dict, place: str = "") -> dict[str, object]:
    flattened: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flattened.update(flat(value, f"{place}{name}."))
        else:
            flattened[f"{place}{name}"] = value
    return flattened


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert path.name in str(caught.value)
    for problem in caught.value.problems:
        assert problem in str(caught.value)
    return caught.value.problems


def test_default_yaml_states_every_key_and_the_code_s_own_default():
    stated = flat(yaml.safe_load((configs_folder() / "default.yaml").read_text()))
    assert stated == flat(Config().values())
    assert set(stated) == set(leaves(Config))
    assert load_config(None).values() == Config().values()


def test_every_key_and_its_default_are_documented():
    rows = dict(
        re.findall(
            r"^\| `([a-z_.]+)` \| `([^`]*)` \|",
            (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert rows == {key: str(yaml_text(value)) for key, value in leaves(Config).items()}


def yaml_text(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


@pytest.mark.parametrize("name", ["default.yaml", "strict.yaml"])
def test_what_ships_loads_with_its_calibration(name):
    config = load_config(configs_folder() / name)
    assert config.loaded_calibration.kinds
    assert set(config.stage_settings) == set(STAGES)


def test_strict_is_never_laxer_than_the_default():
    strict, default = load_config(configs_folder() / "strict.yaml"), Config()
    assert strict.bands.escalate < default.bands.escalate
    assert strict.bands.review < default.bands.review
    assert all(settings.enabled for settings in strict.stage_settings.values())


def test_a_misspelt_key_is_refused_with_the_nearest_known_one(write):
    first = next(iter(STAGES))
    known = [name for name in STAGES[first].Settings.model_fields if name != "enabled"]
    wrong = known[0][:-2] + known[0][-1] + known[0][-2]
    path = write(f"version: 1\nstages:\n  {first}:\n    {wrong}: 3\n")
    assert problems(path) == (
        f"line 4: stages.{first}.{wrong} is not known; did you mean {known[0]}?",
    )
    assert problems(write("bandz: {}\n")) == (
        "line 1: bandz is not known; did you mean bands?",
    )  # fmt: skip


def test_every_fault_is_reported_at_once_in_the_order_of_the_lines(write):
    path = write(
        "version: 3\n"
        "bands:\n"
        "  review: 1.5\n"
        "  escalate: '0.9'\n"
        "stages:\n"
        "  qqqqqqqqqqqqqqq: {}\n"
        "  perceptual_hash: {enabled: yes please}\n"
        "report:\n"
        "  max_rows: 0\n"
        "  max_rows: 5\n"
        "limits: {max_pixels: .inf}\n"
        "calibration: [a]\n"
    )
    messages = problems(path)
    assert [int(re.match(r"line (\d+): ", p).group(1)) for p in messages] == [
        1, 3, 4, 6, 7, 9, 10, 11, 11, 12,
    ]  # fmt: skip
    text = "\n".join(messages)
    assert "version must be 1, and is 3." in text
    assert "bands.review must be less than 1, and is 1.5." in text
    assert 'bands.escalate must be a valid number, and is "0.9".' in text
    assert f"known here: {', '.join(sorted(STAGES))}." in text
    assert "report.max_rows is given twice, first in line 9." in text
    assert "limits.max_pixels must be a finite number." in text


@pytest.mark.parametrize(
    ("review", "escalate", "good"),
    [
        (0.3, 0.9, True),
        (0.3, 1, True),
        (0.3, 1.0001, False),
        (0.3, 0.3, False),
        (0.3, 0.3001, True),
        (0, 0.9, False),
        (0.0001, 0.9, True),
        (0.9, 0.3, False),
    ],
)
def test_the_cuts_are_in_order_within_0_to_1(write, review, escalate, good):
    path = write(f"bands: {{review: {review}, escalate: {escalate}}}\n")
    if good:
        assert load_config(path).bands.review == review
    else:
        assert problems(path)


def test_cuts_out_of_order_are_said_by_their_values(write):
    (problem,) = problems(write("version: 1\nbands: {review: 0.9, escalate: 0.3}\n"))
    assert problem == "line 2: bands: review (0.9) must be below escalate (0.3)."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- 1\n- 2\n", "must be a mapping"),
        ("just words\n", "must be a mapping"),
        ("bands: {review: 0.2\nversion: 1\n", "not YAML, line"),
        ("a: 1\n---\nb: 2\n", "not YAML, line"),
        ("bands: !!python/object:os.system {}\n", "line 1: the tag .* is not supported"),
        ("bands: &b {review: 0.1}\nreport: *b\n", r"alias \*b"),
        ("a: &a [*a]\n", r"alias \*a"),
        ("bands: {review: 2020-99-99}\n", "not YAML"),
        ("[" * 1_000, "nested too deeply|not YAML"),
        ("bands: \x00\n", "not YAML"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_sentence(write, text, says):
    path = write(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_that_are_not_utf8(tmp_path):
    with pytest.raises(ConfigError, match=r"There is no configuration file .*none\.yaml"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("calibration: é.json\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(latin)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 100_001)
    with pytest.raises(ConfigError, match="larger than"):
        load_config(large)


def test_what_a_file_leaves_out_is_the_default(write):
    config = load_config(write("\ufeffbands: {review: 0.2}\n"))
    assert config.bands.review == 0.2
    assert config.bands.escalate == Config().bands.escalate
    assert config.limits == Config().limits


def test_a_configuration_can_not_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config().bands.review = 0.1  # type: ignore[misc]


def test_the_fingerprint_is_of_what_the_file_says(write, tmp_path):
    default = load_config(None).fingerprint()
    assert re.fullmatch(r"[0-9a-f]{64}", default)
    assert Config().fingerprint() == default
    same = write("# nothing but defaults\nversion: 1\nbands: {escalate: 0.90, review: 3.0e-1}\n")
    assert load_config(same).fingerprint() == default
    shutil.copy(configs_folder() / "calibration" / "default.json", tmp_path / "moved.json")
    moved = write("calibration: moved.json\n", "moved.yaml")
    assert load_config(moved).fingerprint() == default
    other = write("bands: {review: 0.31}\n", "other.yaml")
    assert load_config(other).fingerprint() != default


def test_the_fingerprint_changes_with_the_calibration_s_content(write, tmp_path):
    shipped = load_config(None).loaded_calibration
    image = shipped.kinds["image"]
    changed = shipped.model_copy(
        update={
            "kinds": {**shipped.kinds, "image": image.model_copy(update={"prior": -9.0})},
        }
    )
    changed.save(tmp_path / "mine.json")
    config = load_config(write("calibration: mine.json\n"))
    assert config.loaded_calibration.kinds["image"].prior == -9.0
    assert config.fingerprint() != load_config(None).fingerprint()


def test_a_calibration_that_can_not_be_used_is_found_before_the_run(write, tmp_path):
    (tmp_path / "bad.json").write_text("{}")
    for name in ("bad.json", "none.json"):
        with pytest.raises(ConfigError, match=name):
            load_config(write(f"calibration: {name}\n"))


def test_a_missing_calibration_is_named_next_to_the_user_s_configuration(write, tmp_path):
    with pytest.raises(ConfigError) as raised:
        load_config(write("calibration: mine/none.json\n"))
    assert str(raised.value) == (
        f"There is no calibration file {tmp_path / 'mine' / 'none.json'}; put one there, or name "
        "another under calibration in the configuration, by its path from the configuration's "
        "folder."
    )


def test_an_installed_package_contains_the_configurations(tmp_path, monkeypatch):
    installed = tmp_path / "pipeline"
    shutil.copytree(configs_folder(), installed / "configs")
    monkeypatch.setattr(config_module, "__file__", str(installed / "screening" / "config.py"))
    configs_folder.cache_clear()
    try:
        assert configs_folder() == installed / "configs"
        assert load_config(None).values() == Config().values()
    finally:
        monkeypatch.undo()
        configs_folder.cache_clear()
