"""Parameters of a request, wherever a client puts them."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from fastapi import Depends, Request

from airflow_dataloader.workspace.api_error import ApiError, invalid

#: Bytes of a request.
_MOST_BYTES = 10 * 1024 * 1024

#: Levels of its body: what is kept is shown again by code that goes down every one of them.
_DEEPEST = 64


async def _parameters(request: Request) -> dict[str, Any]:
    """Return query and JSON body together: Airflow's asynchronous hook sends a body with GET too."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise ApiError(413, "MALFORMED_REQUEST", f"A request is at most {_MOST_BYTES} bytes long.")
    try:
        body = json.loads(content, parse_constant=_number, parse_float=_number) if content.strip() else {}
        # Half of a surrogate pair is no text that could be kept, or shown again.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "MALFORMED_REQUEST", "The request's body is not JSON.") from None
    if not _is_flat(body, _DEEPEST):
        raise invalid(f"The request's body is nested more than {_DEEPEST} levels deep.")
    if not isinstance(body, dict):
        raise invalid("The request's body must be a JSON object.")
    return {**request.query_params, **body}


def _number(text: str) -> float:
    """Return a number that JSON has: none that is infinite, and not NaN."""
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(text)
    return found


def _is_flat(value: object, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(item, levels - 1) for item in inner)


Parameters = Annotated[dict[str, Any], Depends(_parameters)]
