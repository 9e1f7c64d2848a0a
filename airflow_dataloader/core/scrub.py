"""Takes secrets out of a text before it leaves the process."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"

#: Shorter secrets are only taken out where they stand alone; else every "a" of a text would go.
_SHORT = 4


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with each secret masked: as it is, URL-encoded, and in base64."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        pattern = re.escape(spelling)
        if len(spelling) < _SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, MASK, text)
    return text


def _spellings(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), encoded}
