-- What a data platform team writes: one source, one row a table. Passwords stay in the secret scope;
-- db_config_value holds the names of secrets.

INSERT INTO control.table_control_dbconfig (db_config_key, db_type, db_kv_scope, default_target_schema, db_config_value)
VALUES ('shop', 'postgresql', 'demo', 'shop',
        '{"host": "shop-host", "port": "shop-port", "database": "shop-database", "user": "shop-user", "password": "shop-password"}');

INSERT INTO control.table_control
    (is_active, db_config_key, source_table_schema, source_table_name, destination_table_catalog,
     destination_table_name, load_strategy, primary_key_cols, incremental_column, num_partitions, query)
VALUES
    (true, 'shop', 'shop', 'customers', 'dataloader_demo', 'customers', 'full', NULL, NULL, NULL, NULL),
    (true, 'shop', 'shop', 'products', 'dataloader_demo', 'products', 'full', NULL, NULL, NULL, NULL),
    (true, 'shop', 'shop', 'orders', 'dataloader_demo', 'orders', 'incremental', 'order_id', 'updated_at', NULL, NULL),
    (true, 'shop', 'shop', 'order_lines', 'dataloader_demo', 'order_lines', 'incremental', 'order_id, line_no', 'updated_at', 2, NULL),
    (true, 'shop', 'shop', 'payments', 'dataloader_demo', 'payments', 'incremental', 'payment_id', 'paid_on', NULL, NULL),
    (true, 'shop', 'shop', 'events', 'dataloader_demo', 'events', 'incremental', 'event_id', 'event_id', NULL, NULL),
    (true, 'shop', NULL, NULL, 'dataloader_demo', 'revenue_by_country', 'full', NULL, NULL, NULL,
     'SELECT c.country, count(*) AS orders, sum(o.total) AS revenue
      FROM shop.orders AS o JOIN shop.customers AS c USING (customer_id) GROUP BY c.country');
