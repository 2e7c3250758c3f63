"""Requests and answers of the API, apart from who sends them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from backend.client.errors import ApiError, BadAnswerError, error_of

API: Final = "/api/v1"
CALL_S: Final = 30.0
# What a long poll may take beyond its wait.
SPARE_S: Final = 15.0
MAX_WAIT_S: Final = 30.0
_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `path` below /api/v1 (or from the root with `is_root`), `total_s` for everything.

    `is_repeatable`: sent again after a broken connection it does no harm.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    total_s: float = CALL_S
    is_repeatable: bool = False
    is_root: bool = False

    def params(self) -> dict[str, str]:
        """Return the query as text; None is left out."""
        return {name: _word(value) for name, value in self.query.items() if value is not None}


def get(path: str, query: Mapping[str, Any] | None = None, *, total_s: float = CALL_S) -> Call:
    """Return a call that reads."""
    return Call("GET", path, query=query or {}, total_s=total_s, is_repeatable=True)


def create_call(body: Mapping[str, Any], *, idempotency_key: str | None, require_available: bool) -> Call:
    """Return the call that makes a task; only with a key may it be sent again."""
    return Call(
        "POST",
        "/tasks",
        query={"require_available": True if require_available else None},
        body={name: value for name, value in body.items() if value is not None},
        headers={} if idempotency_key is None else {"Idempotency-Key": idempotency_key},
        is_repeatable=idempotency_key is not None,
    )


def wait_query(wait_s: float) -> float | None:
    """Return `?wait=`; None for no wait. Raises ValueError beyond what the API takes."""
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise ValueError(f"wait_s is 0 to {MAX_WAIT_S:g}, not {wait_s:g}")
    return wait_s or None


def data_of(response: httpx.Response) -> Any:
    """Return `data` of an answer in the envelope. Raises ApiError, BadAnswerError."""
    envelope = _object(response)
    if response.is_success and "data" in envelope:
        return envelope["data"]
    raise api_error(response, envelope)


def bare_of(response: httpx.Response) -> Any:
    """Return the body of an answer without an envelope; a whole 503 is one too. Raises ApiError, BadAnswerError."""
    body = _object(response)
    if "status" in body and "error" not in body:
        return body
    raise api_error(response, body)


def api_error(response: httpx.Response, envelope: Mapping[str, Any] | None = None) -> ApiError:
    """Return the error that the answer stands for. Raises BadAnswerError when it is none of ours."""
    body = _object(response) if envelope is None else envelope
    if response.is_success or "error" not in body:
        raise _not_ours(response)
    after = response.headers.get("Retry-After", "")
    return error_of(response.status_code, body, retry_after_s=float(after) if after.isdigit() else None)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content)
    except ValueError as error:
        raise _not_ours(response) from error
    if not isinstance(body, dict):
        raise _not_ours(response)
    return body


def _not_ours(response: httpx.Response) -> BadAnswerError:
    said = " ".join(response.text.split())[:_SHOWN_CHARS]
    return BadAnswerError(f"{response.request.url} answered {response.status_code} with something else: {said!r}")


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
