"""Imports go one way through the packages: the order is `ORDER`, and this test is its only home."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ORDER = (
    ("reference_index",),
    ("core",),
    ("runtime", "load", "decisions"),
    ("drops", "stages"),
    ("risk",),
    ("results",),
    ("report",),
    ("screening", "review"),
    ("evaluation", "scan"),
    ("api", "cli"),
)
"""Layers from the bottom up. A package may import from a lower layer, not from its neighbours
on its own. `api`, `__init__` and `__main__` are modules directly in `pipeline`."""

FLOOR = {name: floor for floor, names in enumerate(ORDER) for name in names}
TOP_MODULES = {"pipeline", "pipeline.__main__", "pipeline.api"}


def modules_of(root: Path) -> dict[str, Path]:
    """Every module of both packages below `root`: its file by its dotted name."""
    files = {}
    for package in ("pipeline", "reference_index"):
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


def imports_of(name: str, file: Path, modules: Mapping[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and name of each module of ours that `name` imports: at any depth in the file, under
    TYPE_CHECKING and by `import_module` too.
    """
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        wanted: list[str] = []
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            wanted = [one if one in modules else base for one in inner]
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0]
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                wanted = [str(first.value)]
        for one in wanted:
            if one.split(".")[0] in ("pipeline", "reference_index"):
                yield node.lineno, one


def package_of(name: str) -> str:
    """`stages` of `pipeline.stages.image.sift`; `reference_index` of anything in there."""
    parts = name.split(".")
    if parts[0] == "reference_index":
        return "reference_index"
    return "api" if name in TOP_MODULES else parts[1]


def violations(root: Path) -> list[str]:
    """What breaks the rule in the packages below `root`, one sentence each."""
    modules = modules_of(root)
    wrong, graph = [], dict[str, set[str]]()
    for name, file in modules.items():
        package = package_of(name)
        if name.count(".") == 1 and file.parent.name == "pipeline" and name not in TOP_MODULES:
            wrong.append(f"{name} is a module directly in pipeline/: put it into a package")
            continue
        if package not in FLOOR:
            wrong.append(f"{name}: the package {package} has no floor in ORDER")
            continue
        graph[name] = set()
        for line, imported in imports_of(name, file, modules):
            graph[name].add(imported)
            other = package_of(imported)
            if other == package or (name == "pipeline.__main__" and other == "cli"):
                continue
            if FLOOR.get(other, len(ORDER)) >= FLOOR[package]:
                wrong.append(f"{name}:{line} imports {imported}: {package} is below {other}")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        wrong.append(f"imports go in a circle: {' -> '.join(error.args[1])}")
    return wrong


def test_imports_go_one_way():
    assert violations(ROOT) == []


def test_every_package_of_the_order_is_there():
    names = {package_of(name) for name in modules_of(ROOT)}
    assert names == set(FLOOR)


@pytest.fixture
def planted(tmp_path):
    """A tree that keeps to the rule, to plant what breaks it."""

    def plant(**sources: str) -> list[str]:
        files = {"pipeline.__init__": "", "reference_index.__init__": ""} | {
            name.replace("__of__", "."): source for name, source in sources.items()
        }
        for name, source in files.items():
            file = tmp_path / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        return violations(tmp_path)

    return plant


GOOD = {
    "pipeline__of__core__of__errors": "",
    "pipeline__of__risk__of__fuse": "import pipeline.core.errors",
}


def test_a_downward_import_is_fine(planted):
    assert planted(**GOOD) == []


@pytest.mark.parametrize(
    "source",
    [
        "from pipeline.risk.fuse import fuse",
        "from pipeline.risk import fuse",
        "import pipeline.risk.fuse",
        "from ..risk import fuse",
        "def late():\n    from pipeline.risk import fuse",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pipeline.risk import fuse",
        "from importlib import import_module\nimport_module('pipeline.risk.fuse')",
        "import pipeline",
    ],
)
def test_an_upward_import_is_found(planted, source):
    [wrong] = planted(**{"pipeline__of__risk__of__fuse": ""}, pipeline__of__core__of__errors=source)
    assert wrong.startswith("pipeline.core.errors:")
    assert "core is below" in wrong


def test_an_import_of_a_neighbour_on_the_same_floor_is_found(planted):
    [wrong] = planted(
        pipeline__of__load__of__a="", pipeline__of__runtime__of__b="import pipeline.load.a"
    )
    assert "runtime is below load" in wrong


def test_the_index_does_not_import_the_pipeline(planted):
    [wrong] = planted(reference_index__of__store="import pipeline.core.errors", **GOOD)
    assert wrong.startswith("reference_index.store:1")


def test_a_circle_within_a_package_is_found(planted):
    [wrong] = planted(
        pipeline__of__core__of__a="from pipeline.core import b",
        pipeline__of__core__of__b="def late():\n    from pipeline.core.c import d",
        pipeline__of__core__of__c="from pipeline.core.a import e",
        pipeline__of__core__of__apart="import pipeline.core.a",
    )
    assert wrong.startswith("imports go in a circle: ")
    assert {f"pipeline.core.{name}" for name in "abc"} == set(wrong.split(": ")[1].split(" -> "))


def test_a_module_directly_in_pipeline_is_found(planted):
    [wrong] = planted(pipeline__of__helpers="")
    assert wrong == "pipeline.helpers is a module directly in pipeline/: put it into a package"


def test_a_package_without_a_floor_is_found(planted):
    [wrong] = planted(pipeline__of__misc__of__a="")
    assert "misc" in wrong
