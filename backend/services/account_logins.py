"""Logins that are under way: one at most for each account, each bounded, each ended when nobody looks at it."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from loguru import logger

from backend.core.clock import Clock
from backend.crawl.browser import Browsers
from backend.crawl.login import LoggedIn, LoginFlow, LoginPace, LoginVisit, Shown
from backend.domain.account import FIRST_PROFILE, Account
from backend.domain.errors import (
    BusyError,
    MediaCrawerError,
    NeedsPersonError,
    NotFoundError,
    ShuttingDownError,
    StateConflictError,
    TaskFailedError,
)
from backend.domain.text import Text
from backend.runner.edge import Edge

MAX_LOGINS = 3


class LoginState(StrEnum):
    """How a login goes; `state` of the stream's frames. The last four are ends."""

    OPENING = "opening"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


ENDS = frozenset({LoginState.DONE, LoginState.FAILED, LoginState.TIMED_OUT, LoginState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLimits:
    """Seconds. `unseen_s`: how long a login goes on that nobody looks at; `kept_s`: how long its end can be read."""

    total_s: float = 600.0
    unseen_s: float = 20.0
    kept_s: float = 60.0
    pace: LoginPace = field(default_factory=LoginPace)


@dataclass(slots=True, eq=False)
class Login:
    """One login. `version` grows with every change; `picture` is for whoever follows it and is stored nowhere."""

    login_id: str
    platform: str
    account_id: str | None
    profile: str
    label: str
    by: str
    until: datetime
    is_in_window: bool
    state: LoginState = LoginState.OPENING
    picture: Shown | None = field(default=None, repr=False)
    error_name: str | None = None
    error: MediaCrawerError | None = None
    version: int = 0
    picture_version: int = 0
    readers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None
    timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDS


# What is stored of a login that went well; returns the account.
Keep = Callable[[Login, LoggedIn], Awaitable[Account]]


class LoginDesk:
    """Starts, shows and ends logins. `stop` leaves none."""

    def __init__(
        self,
        flows: Mapping[str, LoginFlow],
        browsers: Browsers,
        *,
        clock: Clock,
        keep: Keep,
        limits: LoginLimits | None = None,
        visit: Callable[..., LoginVisit] = LoginVisit,
    ) -> None:
        """`keep` stores what a login brought; `visit` opens the tab it is done in."""
        self._visit = visit
        self._flows = flows
        self._browsers = browsers
        self._clock = clock
        self._keep = keep
        self._limits = limits or LoginLimits()
        self._logins: dict[tuple[str, str], Login] = {}
        self._is_open = True
        self._edge = Edge()

    async def stop(self) -> None:
        """End every login, and take no more."""
        self._is_open = False
        for login in list(self._logins.values()):
            await self.cancel(login)
            self._forget(login)

    def live(self) -> int:
        """Return how many logins are under way."""
        return sum(not one.is_over for one in self._logins.values())

    def is_busy(self, platform: str, profile: str) -> bool:
        """Whether this account is being logged in."""
        found = self._logins.get((platform, profile))
        return found is not None and not found.is_over

    def open(self, platform: str, account: Account | None, *, label: str, by: str) -> Login:
        """Begin a login; it goes on by itself, and ends when nobody has looked at it for a while.

        Raises StateConflictError when one of this account is under way, BusyError above 3, ShuttingDownError.
        """
        if not self._is_open:
            raise ShuttingDownError
        profile = FIRST_PROFILE if account is None else account.profile
        if self.is_busy(platform, profile):
            raise StateConflictError(Text("这个账号正在登录中", "This account is being logged in already"))
        if self.live() >= MAX_LOGINS:
            raise BusyError(Text("同时进行的登录过多，请稍后再试", "Too many logins at once; try again soon"))
        if (old := self._logins.get((platform, profile))) is not None:
            self._forget(old)
        way = self._browsers.way()
        login = Login(
            *(f"l_{secrets.token_hex(8)}", platform, None if account is None else account.account_id, profile, label),
            by=by,
            until=self._clock.now() + timedelta(seconds=self._limits.total_s),
            is_in_window=way is not None and way.value != "headless",
        )
        self._logins[(platform, profile)] = login
        logger.info("🔑 登录开始: {} {} by {}", platform, login.account_id or "-", by)
        login.task = asyncio.create_task(self._kept(login), name=f"login:{platform}")
        login.task.add_done_callback(lambda _: self._tell_unbegun(login))
        self._watch(login)
        return login

    def of(self, platform: str, profile: str) -> Login:
        """Return the login of an account that is under way, or has just ended. Raises NotFoundError."""
        found = self._logins.get((platform, profile))
        if found is None:
            raise NotFoundError(Text("这个账号现在没有在登录", "Nobody is logging this account in now"))
        return found

    async def follow(self, login: Login, *, beat_s: float = 15.0) -> AsyncGenerator[Login | None, None]:
        """Yield the login now and at each change until it has ended; None after `beat_s` without one.

        Close the iterator when the reader leaves: the last one to leave ends the login a little later.
        """
        login.readers += 1
        self._watch(login)
        try:
            seen = -1
            while True:
                changed = login.changed
                if login.version != seen:
                    seen = login.version
                    yield login
                    if login.is_over:
                        return
                    continue
                try:
                    async with asyncio.timeout(beat_s):
                        await changed.wait()
                except TimeoutError:
                    yield None
        finally:
            login.readers -= 1
            self._watch(login)

    async def cancel(self, login: Login) -> None:
        """End a login; return when nothing of it is left."""
        if login.task is not None and not login.task.done():
            login.task.cancel()
            await asyncio.wait({login.task})

    # -- one login -----------------------------------------------------------------------------------------------

    async def _kept(self, login: Login) -> None:
        await self._edge.keep("login", self._run(login))

    async def _run(self, login: Login) -> None:
        had_profile = self._browsers.has_profile(login.platform, login.profile)
        ended, error = LoginState.FAILED, None
        try:
            ended, error = await self._attempt(login)
        except asyncio.CancelledError:
            ended = LoginState.CANCELLED
            raise
        finally:
            # Not cut short by a second cancel: what was opened is closed before the end is told.
            cleaning = asyncio.ensure_future(self._clean(login, keeps_profile=had_profile or ended is LoginState.DONE))
            while not cleaning.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({cleaning})
            self._tell(login, ended, error)

    async def _attempt(self, login: Login) -> tuple[LoginState, MediaCrawerError | None]:
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._log_in(login)
        except TimeoutError:
            return LoginState.TIMED_OUT, None
        except MediaCrawerError as error:
            return LoginState.FAILED, error
        return LoginState.DONE, None

    async def _log_in(self, login: Login) -> None:
        visit = self._visit(
            *(self._browsers, self._flows[login.platform]),
            platform=login.platform,
            account=login.account_id or FIRST_PROFILE,
            pace=self._limits.pace,
        )

        def show(shown: Shown) -> None:
            login.picture = shown
            login.picture_version += 1
            self._changed(login, LoginState.WAITING)

        async with visit:
            self._changed(login, LoginState.WAITING)
            await visit.follow(show)
            found = await visit.found()
        login.account_id = (await self._keep(login, found)).account_id

    async def _clean(self, login: Login, *, keeps_profile: bool) -> None:
        login.picture = None
        try:
            await self._browsers.end_unused(login.platform, login.profile)
            if not keeps_profile:
                await self._browsers.remove_profile(login.platform, login.profile)
        except MediaCrawerError as error:
            # A task has begun to use it meanwhile.
            logger.debug("the profile of a login is kept: {}", error)

    def _tell_unbegun(self, login: Login) -> None:
        # One that is cancelled before its first step has nothing to close, and nobody else to say that it is over.
        if not login.is_over:
            self._tell(login, LoginState.CANCELLED, None)

    def _tell(self, login: Login, state: LoginState, error: MediaCrawerError | None) -> None:
        login.error, login.error_name = error, None if error is None else _name_of(error)
        said = "" if login.error_name is None else f" {login.error_name}"
        logger.info("🔑 登录结束: {} {} {}{}", login.platform, login.account_id or "-", state.value, said)
        self._changed(login, state)
        self._watch(login)

    def _changed(self, login: Login, state: LoginState) -> None:
        login.state = state
        login.version += 1
        login.changed.set()
        login.changed = asyncio.Event()

    def _watch(self, login: Login) -> None:
        """Have what nobody looks at ended, and an end that was told forgotten."""
        if login.timer is not None:
            login.timer.cancel()
            login.timer = None
        loop = asyncio.get_running_loop()
        if login.is_over:
            login.timer = loop.call_later(self._limits.kept_s, self._forget, login)
        elif login.readers == 0 and login.task is not None:
            login.timer = loop.call_later(self._limits.unseen_s, login.task.cancel)

    def _forget(self, login: Login) -> None:
        if login.timer is not None:
            login.timer.cancel()
        key = (login.platform, login.profile)
        if self._logins.get(key) is login:
            del self._logins[key]


def _name_of(error: MediaCrawerError) -> str:
    if isinstance(error, TaskFailedError):
        return error.error_name
    return error.code if isinstance(error, NeedsPersonError) else error.name
