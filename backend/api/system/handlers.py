"""`/system`, `/health`, the description of the API and its page."""

import os
from collections.abc import Awaitable
from dataclasses import replace
from functools import cached_property
from typing import Any

from backend.api.base import ApiHandler, BaseHandler
from backend.api.errors import ApiError
from backend.api.openapi import Operation, Route, describe
from backend.api.query import NoQuery
from backend.api.system.docs import render_docs
from backend.api.system.schemas import (
    HealthOut,
    LiveOut,
    ReadyOut,
    ShutdownOut,
    SystemOut,
    health_out,
    reduced_health_out,
    system_out,
)
from backend.core.settings import is_loopback
from backend.domain.text import Text
from backend.domain.user import LOCAL

_UNAVAILABLE = 503


class SystemHandler(ApiHandler):
    """The server from inside."""

    async def get(self) -> None:
        """Say what it is, how it is, and what it holds."""
        self.read_query(NoQuery)
        system = self.services.system
        about, health, live = await system.about(), await system.health(), system.live()
        if not self.services.access.sees_all(self.caller):
            live = replace(live, tasks=())
        self.write_data(system_out(about, health, live, self.speech, lag_ms=system.lag_ms))


class ShutdownHandler(ApiHandler):
    """The end of this process."""

    def check_caller(self) -> None:
        """Let in admins; where everybody is let in, callers of this machine alone. Raises ApiError."""
        super().check_caller()
        is_local = self.caller is not LOCAL or is_loopback(self.request.remote_ip or "")
        if not (self.caller.is_admin and is_local):
            advice = Text("在服务器本机上执行 mediacrawer stop", "Run `mediacrawer stop` on the server's own machine")
            raise ApiError(
                "FORBIDDEN",
                Text("只有管理员可以停止，或从本机停止", "Only an admin, or this machine, may stop it"),
                advice=advice,
            )

    def post(self) -> None:
        """Answer, then stop as a SIGTERM would."""
        self.read_query(NoQuery)
        system = self.services.system
        answer = {"pid": os.getpid(), "stopping": True, "grace_s": system.shutdown_grace_s}
        self.write_data(answer, Text("正在停止", "Stopping"))
        system.leave(asked_by=self.caller.name, address=self.request.remote_ip or "")


class HealthBase(BaseHandler):
    """Answers everywhere, without a token and whatever the Host: those who watch know neither."""

    def set_default_headers(self) -> None:
        """Set what goes with every answer."""
        super().set_default_headers()
        self._headers["Cache-Control"] = "no-store"

    def prepare(self) -> Awaitable[None] | None:
        """Let everybody in, but no page of another site."""
        self.door.origins.check(self.request)
        return None

    @cached_property
    def is_insider(self) -> bool:
        """Whether the caller may know more than the states."""
        return self.door.hosts.allows(self.request) and self.door.callers.is_known(self.request)


class HealthHandler(HealthBase):
    """All components."""

    async def get(self) -> None:
        """Ask each; 503 when MongoDB or the runner is down."""
        system = self.services.system
        health = await system.health()
        self.set_status(_UNAVAILABLE if health.status == "down" else 200)
        if self.is_insider:
            self.write_json(health_out(health, await system.about(), self.speech, pid=os.getpid()))
        else:
            self.write_json(reduced_health_out(health))


class LiveHandler(HealthBase):
    """The loop."""

    def get(self) -> None:
        """Answer: that is the proof that it turns."""
        self.write_json({"status": "ok"})


class ReadyHandler(HealthBase):
    """Whether requests are served."""

    async def get(self) -> None:
        """503 while starting, draining or down."""
        health = await self.services.system.health()
        is_ready = health.phase == "ready" and health.status != "down"
        self.set_status(200 if is_ready else _UNAVAILABLE)
        self.write_json({"status": health.status if health.phase == "ready" else health.phase})


class OpenApiHandler(BaseHandler):
    """The description of the API."""

    def get(self) -> None:
        """Give the OpenAPI document, made from the routes."""
        self.write_json(self._document())

    def _document(self) -> dict[str, Any]:
        return describe(self.application.settings["routes"], version=self.services.system.version)


class DocsHandler(OpenApiHandler):
    """A page that shows the description and loads nothing."""

    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

    def get(self) -> None:
        """Show the description."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(render_docs(self._document()))


_MORE = {200: "ok or degraded", 503: "down"}
ROUTES = (
    Route("/api/v1/system", SystemHandler, {"get": Operation("Show the server from inside", SystemOut)}),
    Route(
        "/api/v1/system/shutdown",
        ShutdownHandler,
        {"post": Operation("Stop the server in order", ShutdownOut, errors=("FORBIDDEN", "SHUTTING_DOWN"))},
    ),
    Route(
        "/health",
        HealthHandler,
        {"get": Operation("Ask how every component is", HealthOut, is_bare=True, statuses=_MORE)},
    ),
    Route("/health/live", LiveHandler, {"get": Operation("Ask whether the loop turns", LiveOut, is_bare=True)}),
    Route(
        "/health/ready",
        ReadyHandler,
        {
            "get": Operation(
                "Ask whether requests are served",
                ReadyOut,
                is_bare=True,
                statuses={200: "ready", 503: "starting, draining or down"},
            )
        },
    ),
    Route("/openapi.json", OpenApiHandler, {"get": Operation("Read this document", dict[str, Any], is_bare=True)}),
    Route("/docs", DocsHandler, {"get": Operation("Read this document as a page", None, media_type="text/html")}),
)
