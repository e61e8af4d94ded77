"""Imports point one way (DESIGN section 7)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pmind"
ORDER = (  # each part may import from those before it; corpora hold the generators that tasks read
    "errors",
    "params",
    "geometry",
    "rope",
    "visibility",
    "hardware",
    "models",
    "native",
    "crossbatch",
    "decoding",
    "corpora",
    "tasks",
    "training",
    "dependencies",
    "methods",
    "remote",
    "evaluation",
    "ablations",
    "benchmark",
    "harness",
    "analysis",
    "reports",
    "serving",
    "commands",
    "cli",
    "__main__",
)
FOR_COMMANDS = {"stage", "terminal"}  # what programs share: for stages and the command line only
COMMANDS = {"commands", "cli", "harness"}  # the last has a program of its own
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Parts of pmind a file imports anywhere, functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("pmind.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_parts_before_its_own(path):
    part = part_of(path)
    if part == "__init__":
        return
    if part in FOR_COMMANDS:
        allowed = {"errors", part}
    else:
        assert part in ORDER, f"pmind/{part} is not in the order of imports; add it to this test and to DESIGN"
        allowed = {*ORDER[: ORDER.index(part)], part}
        if part in COMMANDS:
            allowed |= FOR_COMMANDS
    assert imported_parts(path) <= allowed


def test_the_test_would_notice(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("def f():\n    from pmind.cli import app\n    import pmind.serving.api\n", encoding="utf-8")
    assert imported_parts(path) == {"cli", "serving"}


def test_stages_import_what_they_like_but_nothing_imports_stages():
    for path in FILES:
        assert "stages" not in {
            node.module.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module
        }


def loads_torch(statement: str) -> bool:
    program = f"import sys; {statement}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return result.stdout.strip() == "True"


def test_reports_never_import_torch():
    modules = [f"pmind.reports.{path.stem}" for path in (PACKAGE / "reports").glob("*.py") if path.stem != "__init__"]
    assert modules
    assert not loads_torch(f"import {', '.join(modules)}")


def test_the_package_itself_is_light():
    assert not loads_torch("import pmind, pmind.params, pmind.stage")


def test_public_names():
    import pmind

    assert len(pmind.__all__) <= 10
    for name in pmind.__all__:
        assert getattr(pmind, name).__module__.startswith("pmind.")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pmind.Nothing
