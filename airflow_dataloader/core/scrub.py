"""Takes secrets out of a text before it leaves the process."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"

#: Shorter secrets are only taken out where they stand alone; else every "a" of a text would go.
_SHORT = 4


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with each secret masked: as it is, escaped, URL-encoded, and in base64."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        pattern = re.escape(spelling)
        if len(spelling) < _SHORT:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, MASK, text)
    return text


def _spellings(secret: str) -> set[str]:
    raw = _bytes(secret)
    # As a reader shows it that replaces what it cannot read.
    shown = {secret, raw.decode(errors="replace")}
    encoded = {quote(raw), quote(raw, safe=""), quote_plus(raw), base64.b64encode(raw).decode()}
    return shown | encoded | _escaped(secret)


def _bytes(secret: str) -> bytes:
    """Return what the secret was read from; bytes that are not UTF-8 are surrogates in it."""
    try:
        return secret.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return secret.encode(errors="surrogatepass")


def _escaped(secret: str) -> set[str]:
    """Return what it is within quotes, in JSON and in Python, and where a stream cannot show all of it."""
    found = {json.dumps(secret, ensure_ascii=pure)[1:-1] for pure in (True, False)}
    for show in (repr, ascii):
        # Beside both kinds of quotes the single ones are escaped, in a text without double ones none.
        both = show("'\"" + secret)[4:-1]
        found |= {both, both.replace("\\'", "'")}
    return found | {secret.encode(code, "backslashreplace").decode() for code in ("ascii", "utf-8")}
