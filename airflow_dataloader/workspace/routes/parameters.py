"""Parameters of a request, wherever a client puts them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request

from airflow_dataloader.workspace.api_error import ApiError, invalid

#: Bytes of a request.
_LONGEST = 10 * 1024 * 1024


async def _parameters(request: Request) -> dict[str, Any]:
    """Return query and JSON body together: Airflow's asynchronous hook sends a body with GET too."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _LONGEST:
            raise ApiError(413, "MALFORMED_REQUEST", f"A request is at most {_LONGEST} bytes long.")
    try:
        body = json.loads(content) if content.strip() else {}
    except ValueError:
        raise ApiError(400, "MALFORMED_REQUEST", "The request's body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The request's body must be a JSON object.")
    return {**request.query_params, **body}


Parameters = Annotated[dict[str, Any], Depends(_parameters)]
