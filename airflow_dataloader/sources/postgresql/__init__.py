"""PostgreSQL, split by subject."""
