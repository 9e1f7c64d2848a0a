-- A shop's database: six tables, about a million rows, the same on every machine.
-- Values come from arithmetic on the row's number, never from random().

CREATE SCHEMA shop;

CREATE TABLE shop.customers (
    customer_id      integer PRIMARY KEY,
    email            varchar(120) NOT NULL,
    full_name        text NOT NULL,
    country          char(2) NOT NULL,
    credit_limit     numeric(12, 2),
    marketing_opt_in boolean NOT NULL,
    born_on          date,
    updated_at       timestamptz NOT NULL
);

INSERT INTO shop.customers
SELECT i,
       'customer' || i || '@example.com',
       (ARRAY['Ada', 'Björn', 'Chloé', 'Dmitri', '恵子', 'Fatima', 'Gülşen'])[1 + i % 7] || ' ' || i,
       (ARRAY['DE', 'FR', 'US', 'JP', 'TR', 'BR'])[1 + i % 6],
       CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 7919 % 1000000)::numeric / 100 END,
       i % 3 = 0,
       date '1940-01-01' + (i * 37 % 25000),
       timestamptz '2026-01-01 00:00:00+00' + (i * 977 % 8000000) * interval '1.000001 second'
FROM generate_series(1, 60000) AS i;

CREATE TABLE shop.products (
    product_id integer PRIMARY KEY,
    sku        varchar(20) NOT NULL,
    "Product Name" text NOT NULL,
    price      numeric(10, 2) NOT NULL,
    weight_kg  double precision,
    tags       text[] NOT NULL,
    attributes jsonb NOT NULL
);

INSERT INTO shop.products
SELECT i,
       'SKU-' || lpad(i::text, 8, '0'),
       'Product ' || i,
       (99 + i * 31 % 99000)::numeric / 100,
       CASE WHEN i % 13 = 0 THEN NULL ELSE i / 8.0 END,
       ARRAY['t' || i % 5, 'x "quoted" ' || i % 3],
       jsonb_build_object('colour', (ARRAY['red', 'green', 'blue'])[1 + i % 3], 'rank', i % 100)
FROM generate_series(1, 5000) AS i;

CREATE TABLE shop.orders (
    order_id    bigint PRIMARY KEY,
    customer_id integer NOT NULL,
    status      varchar(12) NOT NULL,
    ordered_on  date NOT NULL,
    placed_at   timestamp NOT NULL,
    total       numeric(14, 2) NOT NULL,
    note        text,
    updated_at  timestamptz NOT NULL
);

INSERT INTO shop.orders
SELECT i,
       1 + i * 17 % 60000,
       (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + i % 4],
       date '2026-01-01' + (i / 500)::integer,
       timestamp '2026-01-01 08:00:00' + i * interval '171.000013 seconds',
       (1000 + i * 7907 % 900000)::numeric / 100,
       CASE WHEN i % 9 = 0 THEN E'first line\nsecond, "quoted"\t' || i END,
       timestamptz '2026-01-01 00:00:00+00' + i * interval '171.000017 seconds'
FROM generate_series(1, 150000) AS i;

CREATE TABLE shop.order_lines (
    order_id   bigint NOT NULL,
    line_no    smallint NOT NULL,
    product_id integer NOT NULL,
    quantity   integer NOT NULL,
    unit_price numeric(10, 2) NOT NULL,
    discount   numeric(5, 4) NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, line_no)
);

INSERT INTO shop.order_lines
SELECT i, n,
       1 + (i * 3 + n) % 5000,
       1 + (i + n) % 9,
       (99 + (i + n) * 31 % 99000)::numeric / 100,
       ((i + n) % 4)::numeric / 16,
       timestamptz '2026-01-01 00:00:00+00' + i * interval '171.000017 seconds'
FROM generate_series(1, 150000) AS i, generate_series(1, 3) AS n;

CREATE TABLE shop.payments (
    payment_id uuid PRIMARY KEY,
    order_id   bigint NOT NULL,
    amount     numeric(14, 2) NOT NULL,
    method     text NOT NULL,
    paid_on    date NOT NULL
);

INSERT INTO shop.payments
SELECT md5('payment ' || i)::uuid,
       i,
       (1000 + i * 7907 % 900000)::numeric / 100,
       (ARRAY['card', 'transfer', 'cash'])[1 + i % 3],
       date '2026-01-01' + (i / 500)::integer
FROM generate_series(1, 150000) AS i;

CREATE TABLE shop.events (
    event_id bigint PRIMARY KEY,
    kind     text NOT NULL,
    happened timestamptz NOT NULL,
    payload  jsonb
);

INSERT INTO shop.events
SELECT i,
       (ARRAY['view', 'search', 'basket', 'checkout'])[1 + i % 4],
       timestamptz '2026-03-01 00:00:00+00' + i * interval '13.000003 seconds',
       CASE WHEN i % 5 = 0 THEN NULL ELSE jsonb_build_object('page', i % 400, 'ref', md5(i::text)) END
FROM generate_series(1, 200000) AS i;

ANALYZE;
