"""Who may ask what: the owner's token, and the tokens of runs, of which only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.private_file import write_private

#: As Databricks' personal access tokens begin, so that whatever hides those hides these.
_PREFIX = "dapi"


def new_token() -> str:
    """Return a token that nobody can guess."""
    return _PREFIX + secrets.token_hex(16)


def hashed(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(token: str, other: str) -> bool:
    """Compare two tokens in a time that says nothing about them."""
    return hmac.compare_digest(token.encode(), other.encode())


def owner_token(path: Path) -> str:
    """Return the token in ``path``, made at the first call.

    Raises ConfigurationError where the file holds none: with that, nobody would be let in.
    """
    if not path.exists():
        write_private(path, new_token())
    token = path.read_bytes().decode(errors="replace").strip()
    if not (token.isascii() and token.isprintable() and token):
        raise ConfigurationError(
            f"{path} holds no token that a request could bring.",
            field="DATALOADER_HOME",
            fix="remove the file; the next start makes another token",
        )
    return token
