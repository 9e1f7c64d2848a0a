-- What a row is known by, here and at its target: config_id never changes, and load_epoch never goes back. Loads
-- on record, and commits at the target, name both; with an epoch that was given before, no claim could queue
-- the row, nor any other beside it.

-- Epochs travel to the target as epoch * 2^20 + step in a signed integer of 64 bits, which ends at epoch 2^43 - 1:
-- the column's CHECK. What is given by hand has half of that, so that claims always find a next one;
-- core/commit.py states the same number.
CREATE FUNCTION control.check_epoch()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, control, pg_temp
AS $$
DECLARE
    highest CONSTANT bigint := 4398046511104;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.load_epoch < OLD.load_epoch THEN
        RAISE EXCEPTION 'config_id %: load_epoch cannot go back from % to %',
            NEW.config_id, OLD.load_epoch, NEW.load_epoch
            USING ERRCODE = 'check_violation', COLUMN = 'load_epoch', CONSTRAINT = 'table_control_epoch',
                HINT = 'Leave load_epoch as it is; each claim counts it up, and nothing else needs to.';
    END IF;
    IF NEW.load_epoch > highest THEN
        RAISE EXCEPTION 'config_id %: load_epoch % is beyond %', NEW.config_id, NEW.load_epoch, highest
            USING ERRCODE = 'check_violation', COLUMN = 'load_epoch', CONSTRAINT = 'table_control_epoch',
                HINT = 'Use the epoch that the target''s history names; dataloader db advance-epoch sets it.';
    END IF;
    IF TG_OP = 'INSERT' THEN
        -- A deleted row that is put back goes on where its loads ended: they outlive it.
        NEW.load_epoch := greatest(NEW.load_epoch, (
            SELECT max(h.epoch) FROM historical_metadata h WHERE h.config_id = NEW.config_id));
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION control.refuse_another_id()
RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, control, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'config_id % cannot become %: its loads are recorded under it', OLD.config_id, NEW.config_id
        USING ERRCODE = 'check_violation', COLUMN = 'config_id', CONSTRAINT = 'table_control_identity',
            HINT = 'Leave config_id as it is; for a row of another identity, INSERT one and set is_active = false on this.';
END
$$;

-- PostgreSQL fires triggers in the order of their names. Ours come last, so that they see the row as triggers of
-- somebody's own have left it, and in the order of their numbers.
CREATE TRIGGER zz_table_control_05_epoch_given
    BEFORE INSERT ON control.table_control
    FOR EACH ROW EXECUTE FUNCTION control.check_epoch();

-- Not for a claim, which counts by one.
CREATE TRIGGER zz_table_control_05_epoch_edited
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (NEW.load_epoch < OLD.load_epoch OR NEW.load_epoch > OLD.load_epoch + 1)
    EXECUTE FUNCTION control.check_epoch();

CREATE TRIGGER zz_table_control_05_identity
    BEFORE UPDATE ON control.table_control
    FOR EACH ROW WHEN (NEW.config_id <> OLD.config_id)
    EXECUTE FUNCTION control.refuse_another_id();
