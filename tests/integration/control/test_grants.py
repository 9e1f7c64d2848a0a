"""Rights that somebody was given on the documents' tables outlive migrations, there and back."""

from __future__ import annotations

from airflow_dataloader.control import migrate
from tests.integration.control.drive import run_at

RIGHTS = """
SELECT relname, NULL, acl::text FROM pg_class, unnest(relacl) acl
WHERE relname IN ('table_control', 'table_control_history_vw')
UNION ALL
SELECT attrelid::regclass::text, attname, acl::text FROM pg_attribute, unnest(attacl) acl
WHERE attrelid IN ('control.table_control'::regclass, 'control.table_control_history_vw'::regclass)
    AND NOT attisdropped
ORDER BY 1, 2, 3"""


def test_rights_stay_also_on_what_is_made_anew(old_url: str) -> None:
    # A name that a placeholder of a driver begins in.
    ((name,),) = run_at(old_url, "SELECT quote_ident('bi%sales_' || current_database())")
    run_at(old_url, f"CREATE ROLE {name}")
    try:
        run_at(old_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA control TO {name}")
        run_at(old_url, "GRANT SELECT ON control.table_control_history_vw TO PUBLIC")
        run_at(old_url, f"GRANT SELECT (control_key, config_id) ON control.table_control TO {name}")
        run_at(
            old_url,
            f"GRANT SELECT (history_id) ON control.table_control_history_vw TO {name} WITH GRANT OPTION",
        )
        before = run_at(old_url, RIGHTS)
        assert len(before) > 5
        migrate.upgrade(old_url, timestamps_zone="Europe/Berlin", report=lambda _: None)
        assert run_at(old_url, RIGHTS) == before
        run_at(old_url, f"GRANT SELECT (table_name) ON control.table_control_history_vw TO {name}")
        run_at(old_url, "UPDATE control.table_control SET last_status = 'Failed' WHERE config_id = 3")
        migrate.downgrade(old_url, "0001")
        assert run_at(old_url, RIGHTS) == before
    finally:
        run_at(old_url, f"DROP OWNED BY {name}")
        run_at(old_url, f"DROP ROLE {name}")
