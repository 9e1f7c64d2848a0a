-- Tables that the documents do not have.

-- One row: the name under which this control database writes to its targets.
CREATE TABLE control.installation (
    id VARCHAR(32) PRIMARY KEY DEFAULT replace(gen_random_uuid()::text, '-', '')
        CONSTRAINT installation_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    only_row BOOLEAN NOT NULL DEFAULT true
        CONSTRAINT installation_only_row_key UNIQUE
        CONSTRAINT installation_only_row_check CHECK (only_row),
    timestamps_zone VARCHAR(64),
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO control.installation DEFAULT VALUES;

-- The frozen plan of a chunked backfill, one row's at a time.
CREATE TABLE control.backfill (
    id BIGSERIAL PRIMARY KEY,
    config_id BIGINT NOT NULL
        CONSTRAINT backfill_config_id_fkey REFERENCES control.table_control ON DELETE CASCADE,
    status VARCHAR(20) NOT NULL DEFAULT 'open'
        CONSTRAINT backfill_status_check CHECK (status IN ('open', 'done', 'abandoned')),
    mode VARCHAR(20) NOT NULL CONSTRAINT backfill_mode_check CHECK (mode IN ('direct', 'staged')),
    content_hash VARCHAR(64) NOT NULL,
    low TEXT,
    high TEXT,
    watermark TEXT,
    started_by BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    ended_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX backfill_one_open_per_row ON control.backfill (config_id) WHERE status = 'open';

CREATE TABLE control.load_chunk (
    backfill_id BIGINT NOT NULL
        CONSTRAINT load_chunk_backfill_id_fkey REFERENCES control.backfill ON DELETE CASCADE,
    number INTEGER NOT NULL CONSTRAINT load_chunk_number_check CHECK (number > 0),
    low TEXT,
    high TEXT,
    null_cursor BOOLEAN NOT NULL DEFAULT false,
    metadata_id BIGINT,
    rows_read BIGINT,
    rows_published BIGINT,
    target_version BIGINT,
    committed_at TIMESTAMPTZ,
    CONSTRAINT load_chunk_pkey PRIMARY KEY (backfill_id, number)
);
