"""Routes of the local workspace, a file a part of its API."""
