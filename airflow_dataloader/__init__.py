"""Metadata-driven bulk loader: rows of a control table become Delta tables, exactly once."""

__version__ = "0.1.0"
