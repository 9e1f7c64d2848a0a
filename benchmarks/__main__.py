"""``python -m benchmarks [name …]``: runs the named benchmarks, or all, each in a process of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def names() -> list[str]:
    """Return the modules of this folder that can be run: those with a ``main``."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return [file.stem for file in files if _has_main(file)]


def _has_main(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


def main(wanted: list[str]) -> int:
    """Run them in turn; return 0 if all ended well."""
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"Error: no benchmark is called {', '.join(sorted(unknown))}; use one of {', '.join(names())}.")
        return 2
    ended = [
        subprocess.run(
            [sys.executable, "-c", f"from benchmarks.{name} import main; main()"], check=False
        ).returncode
        for name in wanted or names()
    ]
    return 1 if any(ended) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
