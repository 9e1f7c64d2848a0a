"""What connects Airflow's connections and configuration with the rest of the package."""
