"""What can go wrong between a program and the server.

ClientError
|-- ServerDownError        nothing of the request left this machine: nobody listens there
|-- BrokenOffError         sent, and no whole answer came: it may have been done
|-- TimeUpError            the time for it was up: it may have been done
|-- BadAnswerError         whoever answers there is not this product
`-- ApiError               the server's own word, from its error envelope
    |-- RequestRefusedError   400, 413, 415, 422: what was sent cannot be used; `fields` says where
    |-- AccessRefusedError    401, 403: token, Host or Origin
    |-- NotFoundError         404
    |-- ConflictError         409: the state of the task, or another body under the same Idempotency-Key
    `-- UnavailableError      429, 503: later; `retry_after_s` says when
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ClientError(Exception):
    """Base of all errors of the client."""


class ServerDownError(ClientError):
    """Nobody listens there; nothing was sent."""


class BrokenOffError(ClientError):
    """The connection broke after the request was sent; the server may have done it."""


class TimeUpError(ClientError):
    """The time for the request was up; the server may have done it."""


class BadAnswerError(ClientError):
    """The answer is not one of this product's."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One refused field: `path` is dotted, array indexes are numbers."""

    path: str
    code: str
    message: str


class ApiError(ClientError):
    """An error of the API; `name` is its stable word (TASK_NOT_FOUND), `code` its number (40401)."""

    def __init__(self, status: int, envelope: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        error = envelope.get("error") or {}
        self.status = status
        self.code = int(envelope.get("code") or status * 100)
        self.message = str(envelope.get("message") or "")
        self.name = str(error.get("name") or "INTERNAL")
        self.retryable = bool(error.get("retryable"))
        self.advice: str | None = error.get("advice")
        self.request_id: str | None = error.get("request_id")
        self.fields = tuple(
            FieldProblem(str(one.get("path")), str(one.get("code")), str(one.get("message")))
            for one in error.get("fields") or ()
        )
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.name}: {self.message}")


class RequestRefusedError(ApiError):
    """What was sent cannot be used."""


class AccessRefusedError(ApiError):
    """A token is missing or wrong, or the caller may not come from there."""


class NotFoundError(ApiError):
    """There is no such task, or no such path."""


class ConflictError(ApiError):
    """The state of things does not allow it."""


class UnavailableError(ApiError):
    """Not now."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: RequestRefusedError,
    401: AccessRefusedError,
    403: AccessRefusedError,
    404: NotFoundError,
    409: ConflictError,
    413: RequestRefusedError,
    415: RequestRefusedError,
    422: RequestRefusedError,
    429: UnavailableError,
    503: UnavailableError,
}


def error_of(status: int, envelope: Mapping[str, Any], *, retry_after_s: float | None) -> ApiError:
    """Return the error that an answer stands for."""
    return _BY_STATUS.get(status, ApiError)(status, envelope, retry_after_s=retry_after_s)
