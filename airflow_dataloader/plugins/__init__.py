"""What this package plugs into Airflow that a provider's description has no word for."""
