"""The control database: its schema, its statements, and who may write what and when."""
