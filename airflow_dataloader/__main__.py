"""``python -m airflow_dataloader`` is the ``dataloader`` command, wherever its script is."""

from airflow_dataloader.cli.main import main

if __name__ == "__main__":
    main()
