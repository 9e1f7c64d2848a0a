"""Files that the local workspace runs for the demo."""
