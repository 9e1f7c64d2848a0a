"""The loader's own connection to a source: one file a ``db_type``."""
