"""One file a strategy; each composes the same building blocks."""
