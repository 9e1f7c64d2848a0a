"""Runs of the local workspace: what was submitted, how far it is, and the processes that do it."""
