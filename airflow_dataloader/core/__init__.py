"""The domain: frozen dataclasses and pure functions over the standard library."""
