-- A day in the shop: new and changed rows, a late commit inside the lookback, corrections of old rows.

UPDATE shop.customers
SET credit_limit = coalesce(credit_limit, 0) + 50, updated_at = timestamptz '2026-06-01 12:00:00+00'
WHERE customer_id % 40 = 0;

UPDATE shop.products SET price = price * 1.05 WHERE product_id % 10 = 0;
DELETE FROM shop.products WHERE product_id % 500 = 0;

INSERT INTO shop.orders
SELECT i, 1 + i * 17 % 60000, 'new', date '2026-11-01', timestamp '2026-11-01 08:00:00',
       (1000 + i * 7907 % 900000)::numeric / 100, NULL,
       timestamptz '2026-11-01 00:00:00+00' + i * interval '0.001 second'
FROM generate_series(150001, 153000) AS i;

UPDATE shop.orders
SET status = 'shipped', updated_at = timestamptz '2026-11-01 01:00:00+00' + order_id * interval '0.001 second'
WHERE order_id BETWEEN 149001 AND 150000;

-- Committed late: its cursor lies five minutes below the upper bound of the first load.
INSERT INTO shop.orders
VALUES (200001, 7, 'new', date '2026-10-24', timestamp '2026-10-24 20:00:00', 12.34, 'committed late',
        timestamptz '2026-01-01 00:00:00+00' + 150000 * interval '171.000017 seconds' - interval '5 minutes');

INSERT INTO shop.order_lines
SELECT i, n, 1 + (i * 3 + n) % 5000, 1 + (i + n) % 9, (99 + (i + n) * 31 % 99000)::numeric / 100, 0,
       timestamptz '2026-11-01 00:00:00+00' + i * interval '0.001 second'
FROM generate_series(150001, 153000) AS i, generate_series(1, 3) AS n;

INSERT INTO shop.payments
SELECT md5('payment ' || i)::uuid, i, (1000 + i * 7907 % 900000)::numeric / 100, 'card', date '2026-11-01'
FROM generate_series(150001, 152000) AS i;

INSERT INTO shop.events
SELECT i, 'view', timestamptz '2026-11-01 00:00:00+00' + i * interval '13.000003 seconds', NULL
FROM generate_series(200001, 210000) AS i;
