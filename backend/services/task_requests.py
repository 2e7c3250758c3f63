"""From what a caller asks to a task that can be stored: platform, type, parameters, in that order."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from backend.core.http import NetworkPolicy, refusal_of
from backend.domain.errors import (
    FieldProblem,
    PlatformUnavailableError,
    UnknownPlatformError,
    UnknownTypeError,
    ValidationFailedError,
)
from backend.domain.platform import Availability, PlatformInfo, PlatformType
from backend.domain.task import NewTask, Notice, TaskKind
from backend.domain.text import Text
from backend.services.field_problems import problems_of

MAX_TITLE_CHARS = 200

_REFUSALS = {
    "PRIVATE_ADDRESS": Text(
        "不能访问内网地址；管理员可以用 ALLOW_PRIVATE_NETWORKS 开放",
        "Private addresses are not allowed; an operator can open them with ALLOW_PRIVATE_NETWORKS",
    ),
    "SCHEME_REFUSED": Text("只支持 http 与 https", "Only http and https are allowed"),
}


class Platform(Protocol):
    """What crawl platforms and generation providers have in common."""

    @property
    def info(self) -> PlatformInfo:
        """What the product says about it."""

    def availability(self) -> Availability:
        """Whether it can run now."""

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the title of a task that was given none, from its validated parameters."""


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A request for a task as the API has read it: types are right, platform and params are not looked at yet."""

    platform: str
    params: Mapping[str, Any]
    kind: str | None = None
    type: str | None = None
    title: str | None = None
    labels: tuple[str, ...] = ()
    priority: int = 0
    run_at: datetime | None = None
    start: str | None = None
    max_attempts: int | None = None
    deadline_s: float | None = None
    # Short form: a slip in a name beside the parameters (prority) looks like a parameter.
    names_beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskDefaults:
    """What a request leaves out: attempts, deadlines in seconds by kind, and whether tasks start by hand."""

    max_attempts: int = 3
    deadline_s: Mapping[TaskKind, float] = field(
        default_factory=lambda: {TaskKind.CRAWL: 86_400.0, TaskKind.GENERATE: 3_600.0}
    )
    is_held: bool = False


class TaskDrafter:
    """Validates requests against the platforms of this installation."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        *,
        policy: NetworkPolicy,
        defaults: TaskDefaults,
        login_notice: Callable[[str], Notice | None] = lambda _: None,
    ) -> None:
        """`login_notice` tells of a platform whose login is known to have ended."""
        self._login_notice = login_notice
        self._platforms = platforms
        self._policy = policy
        self._defaults = defaults

    def draft(self, request: TaskRequest, *, require_available: bool = False) -> NewTask:
        """Return the task to store.

        Raises UnknownPlatformError, UnknownTypeError, ValidationFailedError, and PlatformUnavailableError when the
        caller wants to be refused rather than wait.
        """
        platform = self._platform(request)
        chosen = self._type(platform.info, request)
        params = self._params(chosen, request)
        notice = self._notice(platform)
        if notice is not None and require_available:
            raise PlatformUnavailableError(notice.message, advice=notice.action)
        kind = platform.info.kind
        return NewTask(
            kind=kind,
            platform=platform.info.id,
            type=chosen.id,
            params=params.model_dump(mode="json", exclude_none=True),
            title=(request.title or _title_of(platform, chosen, params))[:MAX_TITLE_CHARS],
            labels=request.labels,
            priority=request.priority,
            run_at=request.run_at,
            is_held=self._defaults.is_held if request.start is None else request.start == "manual",
            max_attempts=request.max_attempts or self._defaults.max_attempts,
            deadline_s=request.deadline_s or self._defaults.deadline_s[kind],
            ignored=tuple(params.ignored()) if hasattr(params, "ignored") else (),
            notice=notice,
        )

    def notice_of(self, platform_id: str) -> Notice | None:
        """Return why this platform cannot run now, or None."""
        platform = self._platforms.get(platform_id)
        return None if platform is None else self._notice(platform)

    def _platform(self, request: TaskRequest) -> Platform:
        platform = self._platforms.get(request.platform) if request.platform in self._platforms else None
        if platform is None:
            known = ", ".join(sorted(self._platforms))
            shown = request.platform[:80]
            raise UnknownPlatformError(
                Text(f"没有这个平台: {shown}", f"No such platform: {shown}"),
                advice=Text(f"可用平台: {known}", f"Platforms: {known}"),
            )
        if request.kind is not None and request.kind != platform.info.kind.value:
            text = Text(f"平台 {request.platform} 的类别是 {platform.info.kind}", f"Its kind is {platform.info.kind}")
            raise ValidationFailedError([FieldProblem("kind", "NOT_ALLOWED", text)])
        return platform

    def _type(self, info: PlatformInfo, request: TaskRequest) -> PlatformType:
        chosen = info.type(request.type or info.default_type)
        if chosen is None:
            known = ", ".join(one.id for one in info.types)
            shown = str(request.type)[:80]
            raise UnknownTypeError(
                Text(f"平台 {info.id} 没有这个类型: {shown}", f"Platform {info.id} has no such type: {shown}"),
                advice=Text(f"可用类型: {known}", f"Types: {known}"),
            )
        return chosen

    def _params(self, chosen: PlatformType, request: TaskRequest) -> BaseModel:
        model: type[BaseModel] = chosen.model
        try:
            params = model.model_validate(dict(request.params))
        except ValidationError as error:
            names = (*model.model_fields, *request.names_beside)
            raise ValidationFailedError(problems_of(error, prefix="params", known_names=names)) from None
        problems = list(self._url_problems(params))
        if problems:
            raise ValidationFailedError(problems)
        return params

    def _url_problems(self, params: BaseModel) -> list[FieldProblem]:
        """Refuse what can be seen without asking DNS: literal private addresses, other schemes."""
        problems = []
        for name in getattr(type(params), "URL_FIELDS", ()):
            for path, url in _urls_in(f"params.{name}", getattr(params, name)):
                refusal = refusal_of(url, self._policy)
                if refusal is not None:
                    problems.append(FieldProblem(path, refusal, _REFUSALS[refusal]))
        return problems

    def _notice(self, platform: Platform) -> Notice | None:
        now = platform.availability()
        if now.available:
            return self._login_notice(platform.info.id)
        message = now.message or Text("平台暂不可用", "The platform cannot run now")
        return Notice(now.reason or "NOT_BUILT", message, now.advice)


def body_hash(new: NewTask) -> str:
    """Return the hash of a validated body, by which a repeat with the same Idempotency-Key is known."""
    body = {
        **{"platform": new.platform, "type": new.type, "params": new.params, "title": new.title},
        **{"labels": new.labels, "priority": new.priority, "run_at": str(new.run_at), "held": new.is_held},
        **{"max_attempts": new.max_attempts, "deadline_s": new.deadline_s},
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _urls_in(path: str, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, BaseModel):
        fields = [(name, getattr(value, name)) for name in getattr(type(value), "URL_FIELDS", ())]
        return [found for name, inner in fields for found in _urls_in(f"{path}.{name}", inner)]
    return [found for index, inner in enumerate(value) for found in _urls_in(f"{path}.{index}", inner)]


def _title_of(platform: Platform, chosen: PlatformType, params: BaseModel) -> str:
    made = platform.title_of(params.model_dump(mode="json", exclude_none=True))
    return made or f"{platform.info.title.zh} · {chosen.title.zh}"
