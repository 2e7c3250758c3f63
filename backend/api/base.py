"""What every handler shares: the checks at the door, the envelope, the error's answer, the services."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger
from pydantic import BaseModel
from tornado.web import Finish, RequestHandler

from backend.api.auth import CallerCheck, HostCheck, OriginCheck
from backend.api.body import read_object
from backend.api.errors import CODES, ApiError, code_of, headers_of, known_error, not_found, payload_of
from backend.api.language import Language, Speech, speech_of
from backend.api.proxies import Proxies, PublicUrl
from backend.api.query import read_query
from backend.api.wire import JSON_TYPE, dump
from backend.domain.errors import ShuttingDownError, is_loop_closed
from backend.domain.text import Text
from backend.domain.user import Caller

if TYPE_CHECKING:
    from backend.services.account_service import AccountService
    from backend.services.artifact_service import ArtifactService
    from backend.services.batch_service import BatchService
    from backend.services.challenge_service import ChallengeService
    from backend.services.drift_service import DriftService
    from backend.services.event_hub import EventHub
    from backend.services.exports.service import ExportService
    from backend.services.item_service import ItemService
    from backend.services.platform_service import PlatformService
    from backend.services.retention_service import RetentionService
    from backend.services.set_service import SetService
    from backend.services.system_service import SystemService
    from backend.services.task_access import TaskAccess
    from backend.services.task_service import TaskService
    from backend.services.user_service import UserService
    from backend.store.audit import AuditStore

T = TypeVar("T")
Query = TypeVar("Query", bound=BaseModel)

OK = Text("ok", "ok")
# A count behind a random start: asking the system for randomness at each request lets the loop's thread wait.
_START = secrets.token_hex(5)
_REQUESTS = itertools.count(1)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_EXPOSED = "X-Request-Id, Idempotent-Replay, Retry-After, Content-Disposition, Content-Range, ETag"


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases behind the handlers; made in main.py, handed to `make_app`."""

    tasks: "TaskService"
    batches: "BatchService"
    sets: "SetService"
    items: "ItemService"
    artifacts: "ArtifactService"
    challenges: "ChallengeService"
    accounts: "AccountService"
    platforms: "PlatformService"
    drift: "DriftService"
    events: "EventHub"
    exports: "ExportService"
    retention: "RetentionService"
    users: "UserService"
    access: "TaskAccess"
    audit: "AuditStore"
    system: "SystemService"


class Answering:
    """The requests that are being answered: a server that leaves lets them end first."""

    def __init__(self) -> None:
        self._handlers: set[RequestHandler] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def add(self, handler: RequestHandler) -> None:
        """Note a request."""
        self._handlers.add(handler)
        self._is_idle.clear()

    def remove(self, handler: RequestHandler) -> None:
        """Note that it was answered."""
        self._handlers.discard(handler)
        if not self._handlers:
            self._is_idle.set()

    async def over(self) -> None:
        """Wait until nothing is being answered."""
        await self._is_idle.wait()


@dataclass(frozen=True, slots=True)
class Door:
    """The checks at the door, the language of those who name none, and who is inside."""

    hosts: HostCheck
    origins: OriginCheck
    callers: CallerCheck
    proxies: Proxies
    public: PublicUrl
    language: Language
    answering: Answering = field(default_factory=Answering)


class BaseHandler(RequestHandler):
    """A handler that answers errors in the envelope and sends the security headers with everything."""

    policy = _API_POLICY
    _caller: Caller | None = None

    @property
    def services(self) -> Services:
        """The use cases."""
        services: Services = self.application.settings["services"]
        return services

    @property
    def door(self) -> Door:
        """The checks at the door."""
        door: Door = self.application.settings["door"]
        return door

    @cached_property
    def request_id(self) -> str:
        """The id of this request, told to the caller and written beside its failure."""
        return f"r_{_START}{next(_REQUESTS):06x}"

    @cached_property
    def speech(self) -> Speech:
        """The languages of the answer."""
        return speech_of(self.request.headers.get("Accept-Language", ""), self.door.language)

    @property
    def caller(self) -> Caller:
        """Who asks, once they have been let in."""
        if self._caller is None:
            raise RuntimeError("nobody has been let in yet")
        return self._caller

    def set_default_headers(self) -> None:
        """Set what goes with every answer, errors too."""
        self._headers["Server"] = "MediaCrawer"
        self._headers["X-Request-Id"] = self.request_id
        self._headers["Content-Security-Policy"] = self.policy
        self._headers["X-Content-Type-Options"] = "nosniff"
        self._headers["Referrer-Policy"] = "no-referrer"
        self._headers["X-Frame-Options"] = "DENY"
        if "Origin" in self.request.headers:
            self._allow_origin()

    def prepare(self) -> Awaitable[None] | None:
        """Let in who may come in. Raises ApiError."""
        self.door.answering.add(self)
        self.door.hosts.check(self.request)
        self.door.origins.check(self.request)
        if self.request.method != "OPTIONS":
            self.check_caller()
        return None

    def check_caller(self) -> None:
        """Let in who has a token or a session. Raises ApiError."""
        self._caller = self.door.callers.identify(self.request)

    def on_finish(self) -> None:
        """Note that the answer is out."""
        self.door.answering.remove(self)

    def on_connection_close(self) -> None:
        """Wait no more for whoever has gone."""
        self.door.answering.remove(self)

    async def head(self, *path: str) -> None:
        """Answer as GET does; Tornado leaves the body out."""
        answered = self.get(*path)
        if answered is not None:
            await answered

    def options(self, *path: str) -> None:
        """Answer a browser's question before a call from an allowed origin."""
        del path
        self.set_header("Allow", ", ".join(self._allowed()))
        self.set_status(204)

    def write_json(self, payload: Any) -> None:
        """Finish with `payload` as JSON; `?pretty=1` indents."""
        self._headers["Content-Type"] = JSON_TYPE
        is_pretty = bool(self.request.query) and self.get_query_argument("pretty", "") == "1"
        self.finish(dump(payload, is_pretty=is_pretty))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Finish with the envelope of an error."""
        del status_code
        error = known_error((kwargs.get("exc_info") or (None, None, None))[1])
        self.set_status(code_of(error) // 100)
        for name, value in headers_of(error).items():
            self.set_header(name, value)
        if code_of(error) == CODES["METHOD_NOT_ALLOWED"]:
            self.set_header("Allow", ", ".join(self._allowed()))
        self._headers["Cache-Control"] = "no-store"
        self.write_json(payload_of(error, self.speech, self.request_id))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log what is our fault, once; a refusal is in the access log already."""
        if known_error(value) is None and value is not None and typ is not None and not is_loop_closed(value):
            method, path = self.request.method, self.request.path
            logger.opt(exception=(typ, value, tb)).error("❌ 请求处理失败: {} {} {}", method, path, self.request_id)

    def compute_etag(self) -> None:
        """Give no ETag: hashing every answer costs more than it saves."""
        return

    def _allowed(self) -> list[str]:
        inherited = {"HEAD": "get"}
        return [
            method
            for method in _METHODS
            if getattr(type(self), inherited.get(method, method.lower())) is not RequestHandler._unimplemented_method
        ]

    def _allow_origin(self) -> None:
        origin = self.door.origins.foreign_origin(self.request)
        self._headers["Vary"] = "Origin"
        if origin is not None:
            self._headers["Access-Control-Allow-Origin"] = origin
            self._headers["Access-Control-Expose-Headers"] = _EXPOSED
            if self.request.method == "OPTIONS":
                self._headers["Access-Control-Allow-Methods"] = ", ".join(self._allowed())
                self._headers["Access-Control-Allow-Headers"] = (
                    "Authorization, Content-Type, Accept-Language, Idempotency-Key"
                )
                self._headers["Access-Control-Max-Age"] = "600"


class ApiHandler(BaseHandler):
    """A handler under /api: JSON in, JSON out."""

    _waiting: "asyncio.Task[Any] | None" = None

    def set_default_headers(self) -> None:
        """Set what goes with every answer; nothing of the API is kept by a cache."""
        super().set_default_headers()
        self._headers["Cache-Control"] = "no-store"

    def prepare(self) -> Awaitable[None] | None:
        """Let in who may come in; while the server leaves, nobody who would change something."""
        checking = super().prepare()
        if self.request.method in _WRITES and self.services.system.is_draining:
            raise ShuttingDownError
        return checking

    def read_body(self) -> dict[str, Any]:
        """Return the JSON object of the request. Raises ApiError, ValidationFailedError."""
        return read_object(self.request.body, self.request.headers)

    def read_query(self, model: type[Query]) -> Query:
        """Return the query of the request, checked. Raises ValidationFailedError, which names what is unknown."""
        return read_query(self.request.query, model)

    def write_data(self, data: Mapping[str, Any], message: Text = OK) -> None:
        """Finish with the envelope of a success."""
        self.write_json({"code": 0, "message": self.speech.say(message), "data": data})

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of a wait, given up when the caller hangs up."""
        waiting = asyncio.create_task(work, name=f"request:{self.request_id}")
        self._waiting = waiting
        try:
            await asyncio.wait({waiting})
        finally:
            waiting.cancel()
        if waiting.cancelled():
            raise Finish
        return waiting.result()

    def on_connection_close(self) -> None:
        """Give up the wait nobody listens to."""
        if self._waiting is not None:
            self._waiting.cancel()
        super().on_connection_close()


class WholeWrites(ApiHandler):
    """A handler whose changes are made whole: who hangs up gives up a read, never what was begun."""

    def on_connection_close(self) -> None:
        """Go on with what was begun."""
        if self.request.method == "GET":
            super().on_connection_close()


class UnknownPathHandler(ApiHandler):
    """Every address under /api that does not exist."""

    def prepare(self) -> Awaitable[None] | None:
        """Raise NOT_FOUND, after the checks at the door."""
        super().prepare()
        raise not_found()


class BodyTooLargeHandler(ApiHandler):
    """Takes the place of the real handler when a body is too large."""

    def prepare(self) -> Awaitable[None] | None:
        """Raise BODY_TOO_LARGE, after the checks at the door."""
        super().prepare()
        raise ApiError("BODY_TOO_LARGE", Text("请求体超过 1 MB", "The body is larger than 1 MB"))
