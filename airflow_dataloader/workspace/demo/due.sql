-- What makes tables load at once: their slot is now.

UPDATE control.table_control SET next_load_date_time = now() WHERE db_config_key = 'shop';
