"""The extras named in messages are those of pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pipeline.core.extras import EXTRAS, Extra, needs_extra

ROOT = Path(__file__).resolve().parents[2]


def test_every_extra_for_users_has_its_purpose_and_modules():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"test"}
    for name, extra in EXTRAS.items():
        assert len(extra.modules) == len(project["optional-dependencies"][name]), name


def test_a_missing_module_is_named_without_an_import():
    assert Extra("nothing", ("json", "no_such_module")).missing() == ("no_such_module",)


def test_no_sentence_installs_a_package_of_that_name_from_an_index():
    assert "pip install '.[review]'" in needs_extra("The page", "review")
    texts = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("notebooks/*.md")]
    code = [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("reference_index/**/*.py")]
    for file in (*texts, *code, *ROOT.glob("configs/*.yaml")):
        text = file.read_text(encoding="utf-8")
        assert "pip install 'clearance" not in text, file
        assert 'pip install "clearance' not in text, file
