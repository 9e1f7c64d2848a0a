"""Starts maintenance on a cluster: ``maintain_tables.py [<config_id> …]``."""

import sys
from pathlib import Path

# There is no installed package here: it lies beside this file's folder, or this folder lies in it.
_here = Path(globals().get("__file__", sys.argv[0])).resolve()
_root = next(parent for parent in _here.parents if (parent / "airflow_dataloader").is_dir())
sys.path.insert(0, str(_root))

from airflow_dataloader.loader.tasks.maintain import main

if code := main(sys.argv[1:]):
    sys.exit(code)
