"""The Tornado application: its routes, its limits, its access log. Made once in main.py."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    ParseBodyConfig,
    ParseMultipartConfig,
    RequestStartLine,
    ResponseStartLine,
    set_parse_body_config,
)
from tornado.log import access_log
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from backend.api.accounts.handlers import ROUTES as ACCOUNTS
from backend.api.artifacts.handlers import ROUTES as ARTIFACTS
from backend.api.auth import CallerCheck, make_callers, make_checks
from backend.api.base import Answering, BodyTooLargeHandler, Door, Services, UnknownPathHandler
from backend.api.body import MAX_BODY_BYTES
from backend.api.exports.handlers import ROUTES as EXPORTS
from backend.api.frontend import FrontendHandler
from backend.api.items.handlers import ROUTES as ITEMS
from backend.api.login.calls import ROUTES as LOGIN
from backend.api.login.handlers import LOGIN_SPECS
from backend.api.openapi import Route
from backend.api.platforms.handlers import ROUTES as PLATFORMS
from backend.api.proxies import Proxies, PublicUrl
from backend.api.retention.handlers import ROUTES as RETENTION
from backend.api.stream.broadcast import Broadcast
from backend.api.stream.handlers import ROUTES as STREAM
from backend.api.stream.pulse import Pulse
from backend.api.system.handlers import ROUTES as SYSTEM
from backend.api.tasks.challenges import ROUTES as CHALLENGES
from backend.api.tasks.handlers import ROUTES as TASKS
from backend.api.tokens.handlers import ROUTES as TOKENS
from backend.api.users.handlers import ROUTES as USERS
from backend.core.clock import Clock
from backend.core.settings import ROOT, Settings

ROUTES: tuple[Route, ...] = (
    *(*TASKS, *CHALLENGES, *ITEMS, *EXPORTS, *ARTIFACTS, *PLATFORMS, *ACCOUNTS, *LOGIN, *USERS, *TOKENS, *SYSTEM),
    *(*RETENTION, *STREAM),
)
MAX_HEADER_BYTES = 32_768
# Longer than a browser's or a proxy's own keep-alive, so that they close first; a long poll is no idle connection.
IDLE_TIMEOUT_S = 90.0
BODY_TIMEOUT_S = 30.0
# A body above 1 MB is read on and dropped up to here: whoever is still sending would lose our answer to a reset.
MAX_DROPPED_BYTES = 64 * 1024 * 1024


class App(Application):
    """The application. Handlers find `services`, `door` and `routes` in its settings."""

    @property
    def answering(self) -> Answering:
        """The requests that are being answered."""
        door: Door = self.settings["door"]
        return door.answering

    @property
    def streams(self) -> Broadcast:
        """The open streams; to be closed before the server leaves."""
        streams: Broadcast = self.settings["streams"]
        return streams

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> Any:
        """Return what takes the request's bytes and hands them to the handler, at most 1 MB of body."""
        door: Door = self.settings["door"]
        # First of all: the limits on guessing, the Origin check and the access line all look at it.
        door.proxies.apply(request)
        inner = super().get_handler_delegate(request, target_class, target_kwargs, path_args, path_kwargs)
        refuse = super().get_handler_delegate
        return _BoundedBody(inner, lambda: refuse(request, BodyTooLargeHandler))

    def log_request(self, handler: RequestHandler) -> None:
        """Write the one access line of a request: status, verb, path, caller, time."""
        status, request = handler.get_status(), handler.request
        write = access_log.info if status < 400 else access_log.warning if status < 500 else access_log.error  # noqa: PLR2004
        took_ms = request.request_time() * 1000
        write("%d %s %s (%s) %.2fms", status, request.method, _shown_uri(request), request.remote_ip, took_ms)


class _BoundedBody(HTTPMessageDelegate):
    """Hands a body on up to 1 MB; of a larger one nothing reaches the handler, and the answer is 413."""

    def __init__(self, inner: HTTPMessageDelegate, refuse: Callable[[], HTTPMessageDelegate]) -> None:
        self._inner = inner
        self._refuse = refuse
        self._received = 0
        self._is_refused = False
        self._is_answered = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        declared = headers.get("Content-Length", "0")
        declared_bytes = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 19 else 0  # noqa: PLR2004
        if declared_bytes <= MAX_BODY_BYTES:
            return self._inner.headers_received(start_line, headers)
        self._drop_all()
        # Who asks first, or means to send what we would never drop to its end, is answered before it sends.
        if "Expect" in headers or declared_bytes > MAX_DROPPED_BYTES:
            return self._answer_now()
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._received += len(chunk)
        if self._received > MAX_DROPPED_BYTES:
            return self._answer_now()
        if self._received > MAX_BODY_BYTES:
            self._drop_all()
        return None if self._is_refused else self._inner.data_received(chunk)

    def finish(self) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()

    def _drop_all(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            self._inner.on_connection_close()
            self._inner = self._refuse()

    async def _answer_now(self) -> None:
        self.finish()
        # The handler's first step, which answers, is already scheduled; after it Tornado closes the connection.
        await asyncio.sleep(0)


def make_app(
    services: Services,
    settings: Settings,
    *,
    clock: Clock,
    local_secret: str | None = None,
    frontend_dir: Path = ROOT / "frontend" / "dist",
) -> App:
    """Return the application with all its routes; `local_secret` opens it to commands of this machine."""
    # Tornado would parse forms before any handler could refuse them.
    set_parse_body_config(ParseBodyConfig(multipart=ParseMultipartConfig(enabled=False)))
    callers = make_callers(settings, services.users, local_secret=local_secret, elapsed=clock.elapsed, now=clock.now)
    streams = Broadcast(services.events, Pulse(services).take, clock=clock)
    services.users.directory.listen(lambda: streams.part_from(callers.is_current))
    specs: list[Any] = [route.url_spec() for route in ROUTES]
    specs.extend(LOGIN_SPECS)
    specs.append(URLSpec(r"/api(?:/.*)?$", UnknownPathHandler))
    specs.append(URLSpec(r"/(.*)$", FrontendHandler, {"path": str(frontend_dir)}))
    return App(
        specs,
        services=services,
        routes=ROUTES,
        streams=streams,
        door=_door(settings, callers),
    )


def _door(settings: Settings, callers: CallerCheck) -> Door:
    hosts, origins = make_checks(settings)
    return Door(
        hosts=hosts,
        origins=origins,
        callers=callers,
        proxies=Proxies(settings.trusted_proxies),
        public=PublicUrl(settings.public_url),
        language=settings.language,
    )


def make_server(app: App, settings: Settings) -> HTTPServer:
    """Return the server with every limit set; main.py binds it. Of forwarding headers see `Proxies`."""
    del settings
    return HTTPServer(
        app,
        xheaders=False,
        decompress_request=False,
        max_header_size=MAX_HEADER_BYTES,
        idle_connection_timeout=IDLE_TIMEOUT_S,
        body_timeout=BODY_TIMEOUT_S,
        # _BoundedBody keeps the limit and answers in the envelope; Tornado's own cut is a bare 400.
        max_body_size=2**62,
    )


_SHOWN_NAMES = frozenset(
    {
        *("status", "kind", "platform", "type", "ids", "batch_id", "label", "sort", "cursor", "limit", "facets"),
        *("created_by", "created_from", "created_to", "schedule_id", "wait", "until", "purge", "pretty", "state"),
        *("outcome", "after", "before", "level", "require_available", "topics"),
        *("account", "format", "columns", "distinct", "tz", "lang", "task_id", "from", "to"),
    }
)


def _shown_uri(request: HTTPServerRequest) -> str:
    """Return path and query as they may stand in a log: of a name we do not know, the value is left out."""
    if not request.query:
        return request.path
    pairs = parse_qsl(request.query, keep_blank_values=True)
    shown: Mapping[str, str] = {name: value if name in _SHOWN_NAMES else "***" for name, value in pairs}
    return f"{request.path}?{urlencode(shown, safe='*,-')}"
