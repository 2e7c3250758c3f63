"""The one place where an error gets an HTTP status: code = status × 100 + n (the list is in the API's reference)."""

from collections.abc import Mapping
from typing import Any

from tornado.httputil import HTTPInputError
from tornado.web import HTTPError

from backend.api.language import Speech
from backend.domain.errors import MediaCrawerError, ShuttingDownError, ValidationFailedError, is_loop_closed
from backend.domain.text import Text

CODES: Mapping[str, int] = {
    "BAD_JSON": 40001,
    "BAD_CURSOR": 40002,
    "NOT_UTF8": 40003,
    "AUTH_REQUIRED": 40101,
    "HOST_REFUSED": 40301,
    "ORIGIN_REFUSED": 40302,
    "FORBIDDEN": 40303,
    "XSRF_FAILED": 40304,
    "TASK_NOT_FOUND": 40401,
    "NOT_FOUND": 40402,
    "METHOD_NOT_ALLOWED": 40501,
    "STATE_CONFLICT": 40901,
    "IDEMPOTENCY_CONFLICT": 40902,
    "PLATFORM_UNAVAILABLE": 40903,
    "NAME_TAKEN": 40904,
    "BUDGET_EXCEEDED": 40905,
    "BODY_TOO_LARGE": 41301,
    "CONTENT_TYPE": 41501,
    "RANGE_INVALID": 41601,
    "VALIDATION_FAILED": 42201,
    "UNKNOWN_PLATFORM": 42202,
    "UNKNOWN_TYPE": 42203,
    "FILTER_REQUIRED": 42204,
    "RATE_LIMITED": 42901,
    "INTERNAL": 50001,
    "STORE_UNAVAILABLE": 50301,
    "SHUTTING_DOWN": 50302,
}
RETRY_AFTER_S = 3

_INTERNAL = Text("服务器内部错误", "Internal server error")
_INTERNAL_ADVICE = Text(
    "请把 request_id 告诉管理员，日志里有详情", "Tell the administrator the request_id; the log has it"
)
_BODY_TYPE = Text("请求体必须是 application/json", "The body must be application/json")


class ApiError(MediaCrawerError):
    """A refusal that only HTTP knows (a bad body, a strange Host, no token).

    `error_name` is a word of CODES; `headers` go out with the answer.
    """

    def __init__(
        self,
        error_name: str,
        message: Text,
        *,
        advice: Text | None = None,
        can_retry: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.error_name = error_name
        self.can_retry = can_retry
        self.headers = dict(headers or {})


def known_error(error: BaseException | None) -> MediaCrawerError | None:
    """Return the error the caller is told about; None for what is our own fault (a 500)."""
    if isinstance(error, MediaCrawerError):
        return error if name_of(error) in CODES and name_of(error) != "INTERNAL" else None
    if isinstance(error, HTTPError):
        return _from_tornado(error)
    # The owner's guard (lifecycle.md §6): such a text reaches neither a log nor a caller.
    return ShuttingDownError() if error is not None and is_loop_closed(error) else None


def name_of(error: MediaCrawerError) -> str:
    """Return the stable word of an error."""
    return error.error_name if isinstance(error, ApiError) else error.name


def code_of(error: MediaCrawerError | None) -> int:
    """Return the integer code; None is a failure of ours."""
    return CODES["INTERNAL" if error is None else name_of(error)]


def headers_of(error: MediaCrawerError | None) -> dict[str, str]:
    """Return the headers that go with an error, `Retry-After` on every 429 and 503."""
    headers = dict(error.headers) if isinstance(error, ApiError) else {}
    if code_of(error) // 100 in {429, 503}:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return headers


def payload_of(error: MediaCrawerError | None, speech: Speech, request_id: str) -> dict[str, Any]:
    """Return the body of an error's answer; None hides everything but the request's id."""
    if error is None:
        body = {"name": "INTERNAL", "retryable": False, "advice": speech.say(_INTERNAL_ADVICE), "fields": []}
        message = speech.say(_INTERNAL)
    else:
        can_retry = error.can_retry if isinstance(error, ApiError) else error.retryable
        advice = speech.advise(error.advice)
        body = {"name": name_of(error), "retryable": can_retry, "advice": advice, "fields": _fields(error, speech)}
        message = speech.say(error.message)
    return {"code": code_of(error), "message": message, "error": {**body, "request_id": request_id}}


def _fields(error: MediaCrawerError, speech: Speech) -> list[dict[str, str]]:
    if not isinstance(error, ValidationFailedError):
        return []
    return [{"path": one.path, "code": one.code, "message": speech.say(one.message)} for one in error.problems]


def _from_tornado(error: HTTPError) -> MediaCrawerError | None:
    if isinstance(error.__cause__, HTTPInputError):
        # Tornado parses forms before any handler runs, and we take no forms.
        return ApiError("CONTENT_TYPE", _BODY_TYPE)
    match error.status_code:
        case 405:
            return ApiError("METHOD_NOT_ALLOWED", Text("不支持该方法", "This method is not supported here"))
        case 400:
            # Tornado's only one left: a path that is not UTF-8.
            return ApiError("NOT_UTF8", Text("地址不是 UTF-8", "The address is not UTF-8"))
        case 403 | 404:
            # The static files' own words; which of them it is nobody needs to know.
            return not_found()
        case _:
            return None


def not_found() -> ApiError:
    """Return the error of an address that does not exist."""
    return ApiError("NOT_FOUND", Text("没有这个地址", "Nothing is at this address"))
