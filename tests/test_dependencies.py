"""The product imports what it declares, and no library that only its tests use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipeline", "reference_index")

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="pyproject.toml is only in a source checkout"
)


def declared() -> set[str]:
    """Distributions that the product or one of its extras for users depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    wanted += [one for name, extra in extras.items() if name != "test" for one in extra]
    return {re.split(r"[<>=!\[ ;]", one)[0].lower().replace("_", "-") for one in wanted}


def imported() -> Iterator[tuple[str, str]]:
    """Every import of the product, inside functions too: its file, and the top-level name."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        yield file.relative_to(ROOT).as_posix(), alias.name.split(".")[0]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield file.relative_to(ROOT).as_posix(), node.module.split(".")[0]


def test_every_import_of_the_product_is_a_declared_dependency():
    distributions = packages_distributions()
    # Brought along by declared libraries (docs/libraries.md, "Dependencies that come along").
    brought = {"timm", "torchvision", "fsspec", "botocore", "starlette", "pydantic-core"}
    allowed = declared() | brought
    undeclared = sorted(
        f"{file} imports {name}"
        for file, name in set(imported())
        if name not in sys.stdlib_module_names
        and name not in PACKAGES
        and not allowed & {one.lower().replace("_", "-") for one in distributions.get(name, ())}
    )
    assert undeclared == []


def test_the_product_reads_word_files_without_python_docx(tmp_path):
    file = tmp_path / "note.docx"
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "<w:body><w:p><w:r><w:t>A short note.</w:t></w:r></w:p></w:body>"
    with zipfile.ZipFile(file, "w") as document:
        document.writestr("word/document.xml", f'<w:document xmlns:w="{space}">{body}</w:document>')
    program = (
        "import sys, pipeline, pipeline.api, pipeline.cli\n"
        "from pipeline.load.limits import Limits\n"
        "from pipeline.load.script.docx import read_docx\n"
        "with open(sys.argv[1], 'rb') as stream:\n"
        "    assert 'A short note.' in str(read_docx(stream, Limits()))\n"
        "assert 'docx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, timeout=120)
