"""What the cluster runs: from a claimed load to a settled one. Knows no Airflow."""
