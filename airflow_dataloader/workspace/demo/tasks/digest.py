"""Task of the local workspace: writes the digests of Delta tables into a file.

Parameters: the file, then the tables' folders.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from airflow_dataloader.private_file import write_private
from airflow_dataloader.workspace.demo.row_digest import open_spark, target_digest

if __name__ == "__main__":
    file, *folders = sys.argv[1:]
    with open_spark(os.environ["SPARK_REMOTE"]) as spark:
        digests = {folder: asdict(target_digest(spark, Path(folder))) for folder in folders}
    write_private(Path(file), json.dumps(digests))
