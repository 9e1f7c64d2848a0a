"""The Spark that runs of the local workspace share."""
