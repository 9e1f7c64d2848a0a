"""The local workspace: what stands in for Databricks on this machine, and the demo on top of it."""
