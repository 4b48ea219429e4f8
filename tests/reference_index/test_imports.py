"""`pipeline` may import `reference_index`, never the reverse; heavy libraries wait for use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import reference_index

PACKAGE = Path(reference_index.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in ("import_module", "__import__") and node.args:
                names.add(ast.unparse(node.args[0]).strip("'\""))
    return names


def test_the_package_has_modules_to_check():
    assert {"store.py", "errors.py"} <= {module.name for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_reference_index_imports_nothing_of_the_pipeline(module):
    names = imported(ast.parse(module.read_text("utf-8")))
    assert not {name for name in names if name.split(".")[0] == "pipeline"}
    assert not {name for name in names if name.startswith("..")}
    assert not names & {"pickle", "cPickle", "dill", "joblib", "shelve"}


def test_opening_the_package_loads_no_heavy_library():
    heavy = "{'torch', 'faiss', 'lancedb', 'lance', 'pandas', 'datasketch', 'pipeline'}"
    names = ", ".join(f"reference_index.{module.stem}" for module in MODULES)
    code = f"import sys, {names.replace('reference_index.__init__', 'reference_index')}; "
    code += f"sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
