"""Rules about the shape of the code that no linter knows. Every number and list here may only fall."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "airflow_dataloader"
TESTS = REPOSITORY / "tests"
ROOMS = ("airflow_dataloader", "benchmarks", "spark_tasks", "sql", "tests")

LONGEST_FILE = 500
MEDIAN_FILE = 100
#: Lines of a function's body, its docstring not counted.
LONGEST_FUNCTION = 39
LONGER_FUNCTIONS = {
    "airflow_dataloader/core/config.py:from_snapshot",
}
LONGEST_TASK_FILE = 15

#: Suppressions of the type checker and the linter, in the package and outside of it.
MOST_SUPPRESSIONS = {"airflow_dataloader": 25, "elsewhere": 26}

#: Modules whose test has another name than theirs, because it tests a behaviour that several of them make
#: together. The test must exist.
TESTED_BY = {
    "loader/databricks_runtime.py": "unit/loader/engines/spark/test_remote.py",
    "loader/engines/spark/context.py": "integration/loader/engines/spark/test_inspect.py",
    "loader/engines/spark/fence.py": "integration/loader/engines/spark/test_write.py",
    "loader/engines/spark/frames.py": "integration/loader/engines/spark/test_overwrite.py",
    "loader/engines/spark/layout.py": "integration/loader/engines/spark/test_overwrite.py",
    "loader/engines/spark/observe.py": "integration/loader/engines/spark/test_overwrite.py",
    "loader/engines/spark/publish.py": "integration/loader/engines/spark/test_overwrite.py",
    "loader/engines/spark/rows.py": "integration/loader/engines/spark/test_inspect.py",
    "loader/engines/spark/tables.py": "integration/loader/engines/spark/test_inspect.py",
    "loader/engines/spark/jvm.py": "integration/cli/test_local_engine.py",
    "sources/postgresql/intervals.py": "integration/sources/test_styles.py",
    "sources/postgresql/styles.py": "integration/sources/test_styles.py",
    "loader/fenced_attempt.py": "faults/test_zombies.py",
    "loader/sessions/postgresql.py": "integration/sources/test_sessions.py",
    "loader/sessions/postgresql_watch.py": "integration/sources/test_watch.py",
    "workspace/api_error.py": "integration/workspace/test_application.py",
    "cli/demo.py": "acceptance/test_demo.py",
    "cli/workbench.py": "integration/cli/test_load.py",
    "workspace/demo/airflow_client.py": "acceptance/test_demo.py",
    "workspace/demo/comparison.py": "integration/workspace/demo/test_script.py",
    "workspace/demo/loads.py": "integration/workspace/demo/test_loading.py",
    "workspace/demo/postgres_part.py": "acceptance/test_demo.py",
    "workspace/demo/shop.py": "acceptance/test_demo.py",
    "workspace/app_state.py": "integration/workspace/test_application.py",
    "workspace/routes/faults.py": "integration/workspace/test_fault_injection.py",
    "workspace/routes/jobs.py": "integration/workspace/test_application.py",
    "workspace/routes/output.py": "integration/workspace/test_access.py",
    "workspace/routes/page.py": "integration/workspace/test_access.py",
    "workspace/routes/parameters.py": "integration/workspace/test_application.py",
    "workspace/routes/secrets.py": "integration/workspace/test_application.py",
    "workspace/postgres_pid_file.py": "integration/workspace/test_postgres.py",
    "sources/postgresql/dependencies.py": "integration/sources/test_dependencies.py",
}

#: Modules without a test of their own. An entry whose test was written since must go.
WITHOUT_TEST: set[str] = {
    "control/connect.py",
    "control/migrations.py",
}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def modules() -> Iterator[str]:
    """Yield the package's modules that do something, as paths below it; types alone need no test."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if any(body_lines(function) for function in functions(path)):
            yield str(path.relative_to(PACKAGE))


def mirrored(module: str) -> list[Path]:
    """Return where the test of ``module`` may lie."""
    path = Path(module)
    return [TESTS / kind / path.with_name(f"test_{path.name}") for kind in ("unit", "integration")]


def python_files() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((REPOSITORY / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("module", list(modules()))
def test_every_module_has_its_test(module: str) -> None:
    there = any(path.is_file() for path in mirrored(module))
    if module in TESTED_BY:
        assert (TESTS / TESTED_BY[module]).is_file(), f"{TESTED_BY[module]} does not exist"
        assert not there, f"{module} has a test of its own name now: take it out of TESTED_BY"
    elif module in WITHOUT_TEST:
        assert not there, f"{module} has a test now: take it out of WITHOUT_TEST"
    else:
        assert there, f"{module} has no test; expected {' or '.join(map(name_of, mirrored(module)))}"


def test_the_lists_name_modules_that_exist() -> None:
    assert (TESTED_BY.keys() | WITHOUT_TEST) <= set(modules())


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
    package = [length for name, length in lengths.items() if name.startswith("airflow_dataloader/")]
    assert statistics.median(package) < MEDIAN_FILE


def test_functions_are_short() -> None:
    longer = {
        f"{name_of(path)}:{function.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for function in functions(path)
        if body_lines(function) > LONGEST_FUNCTION
    }
    assert longer == LONGER_FUNCTIONS


@pytest.mark.parametrize("path", sorted((REPOSITORY / "spark_tasks").glob("*.py")), ids=name_of)
def test_task_files_only_call_the_package(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_TASK_FILE


# Put together, so that this file does not find itself.
SUPPRESSION = re.compile("#" + r" *(type: *ignore|noqa|pyright:|mypy:)([^#]*)")


def test_a_suppression_names_its_code() -> None:
    bare = [
        f"{name_of(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for kind, rest in SUPPRESSION.findall(line)
        if not re.match(r"\[[a-z-]+(,[a-z-]+)*\]" if "ignore" in kind else r": [A-Z]+\d+", rest)
    ]
    assert bare == []


def test_suppressions_do_not_grow() -> None:
    found = dict.fromkeys(MOST_SUPPRESSIONS, 0)
    for path in python_files():
        room = "airflow_dataloader" if path.is_relative_to(PACKAGE) else "elsewhere"
        found[room] += len(SUPPRESSION.findall(path.read_text()))
    assert all(found[room] <= most for room, most in MOST_SUPPRESSIONS.items()), found


def test_core_needs_the_standard_library_only() -> None:
    ours = ("airflow_dataloader.core", "airflow_dataloader.defaults", "airflow_dataloader.exceptions")
    foreign = {
        f"{name_of(path)}: {name}"
        for path in sorted((PACKAGE / "core").rglob("*.py"))
        for name in imported(ast.parse(path.read_text()))
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(ours)
    }
    assert foreign == set()


def test_building_blocks_name_no_strategy() -> None:
    """What strategies are composed of asks for their traits; only they and the table of them name one."""
    loader = PACKAGE / "loader"
    blocks = set(loader.rglob("*.py")) - {loader / "execute.py", *(loader / "strategies").glob("*.py")}
    naming = {name_of(path) for path in blocks if re.search(r"\bStrategy\.[A-Z]", path.read_text())}
    assert naming == set()


def test_a_fix_has_no_full_stop_of_its_own() -> None:
    """Whoever makes a sentence of it ends the sentence."""
    found = [
        f"{name_of(path)}:{text.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for given in ast.walk(ast.parse(path.read_text()))
        if isinstance(given, ast.keyword) and given.arg == "fix"
        for text in ast.walk(given.value)
        if isinstance(text, ast.Constant) and str(text.value).endswith(".")
    ]
    assert found == []


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
