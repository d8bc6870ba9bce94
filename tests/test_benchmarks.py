"""What benchmarks, examples and CI import of the package exists: nothing else runs them often."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = [
    script
    for folder in ("benchmarks", "examples", ".ci")
    for script in sorted((ROOT / folder).glob("*.py"))
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_names_that_a_script_imports_exist(script: Path) -> None:
    imports = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(script.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hrnet"
        for alias in node.names
    ]
    for module, name in imports:
        found = import_module(module)
        assert hasattr(found, name) or import_module(f"{module}.{name}"), (module, name)
