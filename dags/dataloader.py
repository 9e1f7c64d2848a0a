from airflow_dataloader import build_dags

build_dags(globals())
