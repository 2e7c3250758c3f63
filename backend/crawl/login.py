"""Logging in to a platform in a browser: what a platform says about its login page, and how a person is led through it.

A platform that is read through a browser may offer `create_login(environ) -> LoginFlow`, in its file or, where it is a
folder, in `login.py` inside it; `load_logins` finds them. Nothing is typed and no captcha solved here: the page's QR
code is shown to a person, who scans it with their own app.
"""

import asyncio
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Literal

from loguru import logger

from backend.core.threads import in_thread
from backend.crawl import platforms as platforms_package
from backend.crawl.browser import Browsers, Captured, Listen, Tab
from backend.domain.account import Cookie
from backend.domain.errors import TaskFailedError

_GIVES_WAY = frozenset({"BROKEN_ANSWER", "DEADLINE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFlow:
    """What is known of a platform's login.

    `home_url` is a page that tells whether somebody is logged in: by an answer it gets (`listen`, `says`) or by what
    its server wrote into it (`page_says`); both return None for what tells nothing. `qr_codes` are selectors of the
    picture to scan, `stale_codes` of what shows that it is too old: the picture is then clicked. `session_cookies`
    name the cookies that are the session: when the first of them ends, so does the login. `hosts` are the names (and
    all below them) that documents come from and cookies belong to.
    """

    home_url: str
    login_url: str
    hosts: tuple[str, ...]
    listen: tuple[Listen, ...]
    says: Callable[[Captured], bool | None]
    page_says: Callable[[str], bool | None] = lambda _: None
    qr_codes: tuple[str, ...]
    stale_codes: tuple[str, ...] = ()
    session_cookies: tuple[str, ...]

    def owns(self, domain: str) -> bool:
        """Whether a cookie of this domain is the platform's."""
        name = domain.lstrip(".").lower()
        return any(name == host or name.endswith(f".{host}") for host in self.hosts)

    def ends_at(self, cookies: Sequence[Cookie]) -> datetime | None:
        """Return when the session's first cookie ends; None when none has an end."""
        ends = [one.expires_at for one in self.session_in(cookies) if one.expires_at is not None]
        return min(ends, default=None)

    def session_in(self, cookies: Sequence[Cookie]) -> list[Cookie]:
        """Return those of the cookies that are the session, in the order of `session_cookies`."""
        return [one for name in self.session_cookies for one in cookies if one.name == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPace:
    """How long the page's own question is waited for, and how often a page is looked at, both in seconds.

    `patience`: after how many looks without a code the page itself is shown, or has gone on.
    """

    answer_s: float = 6.0
    look_s: float = 1.0
    patience: int = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person is shown of the login page: its QR code as PNG, or the whole of it as JPEG."""

    kind: Literal["qr", "page"]
    picture: bytes


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was found. `cookies` are the platform's; None in the user's own Chrome, which keeps them."""

    cookies: tuple[Cookie, ...] | None
    expires_at: datetime | None


class LoginContext:
    """A login as a tab's user: it is cancelled with its asyncio task, and its words go to the log of the server."""

    def check(self) -> None:
        """Do nothing: the cancel of the asyncio task is all there is."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def log(self, level: str, message: str, **fields: str | float | None) -> None:
        """Write a line."""
        logger.log(level.upper(), "{} {}", message, fields or "")

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count nothing: it is no task's."""
        del what
        return nullcontext()


class LoginVisit:
    """One tab on a platform's login; use it in `async with`. Errors are those of a tab (browser/tab.py)."""

    def __init__(
        self, browsers: Browsers, flow: LoginFlow, *, platform: str, account: str, pace: LoginPace | None = None
    ) -> None:
        self._browsers = browsers
        self._flow = flow
        self._platform = platform
        self._account = account
        self._pace = pace or LoginPace()
        self._tab: Tab | None = None

    async def __aenter__(self) -> "LoginVisit":
        """Open the tab."""
        self._tab = await self._browsers.open_tab(
            LoginContext(),
            platform=self._platform,
            account=self._account,
            listen=self._flow.listen,
            hosts=self._flow.hosts,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it; a cancel does not cut that short."""
        await self._opened.close()

    async def is_logged_in(self) -> bool | None:
        """Open the home page and tell whether somebody is logged in; None when it says nothing of it."""
        tab, flow = self._opened, self._flow
        await self._forget_answers()
        await tab.open(flow.home_url)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._pace.answer_s
        while (left_s := until - loop.time()) > 0:
            answer = await tab.next_answer(within_s=left_s)
            said = None if answer is None else flow.says(answer)
            if said is not None:
                return said
        html = await tab.html()
        return await in_thread(lambda: flow.page_says(html))

    async def follow(self, show: Callable[[Shown], None]) -> None:
        """Return when a person has logged in. `show` is called with each new picture of the page.

        A page of the user's own window is left to the user: it is only looked at.
        """
        if await self.is_logged_in():
            return
        if await self._picture() is None:
            await self._opened.open(self._flow.login_url)
        while not await self._has_gone_on(show):
            if await self.is_logged_in():
                return
            if await self._picture() is None:
                await self._opened.open(self._flow.login_url)

    async def found(self) -> LoggedIn:
        """Return what the login brought."""
        tab = self._opened
        mine = tuple(one for one in await tab.cookies() if self._flow.owns(one.domain))
        ends_at = self._flow.ends_at(mine)
        return LoggedIn(None if tab.is_the_users_own else mine, ends_at)

    async def _has_gone_on(self, show: Callable[[Shown], None]) -> bool:
        """Look at the page until it tells of a login (True), or its code has gone and it should be asked (False)."""
        tab, pace = self._opened, self._pace
        shown: Shown | None = None
        without, before = 0, await self._session()
        while True:
            answer = await tab.next_answer(within_s=pace.look_s)
            if answer is not None and self._flow.says(answer):
                return True
            code = await self._look(without)
            without = 0 if code is not None else without + 1
            if without >= pace.patience:
                if await self._session() != before:
                    return False
                without = 0
                code = Shown("page", await tab.screenshot())
            if code is not None and code != shown:
                shown = code
                show(code)

    async def _look(self, without: int) -> Shown | None:
        """Return the code there is. A page that gives way to the next while it is looked at has none."""
        try:
            await self._renew_stale()
            return await self._picture()
        except TaskFailedError as error:
            if error.error_name not in _GIVES_WAY or without >= self._pace.patience:
                raise
            return None

    async def _picture(self) -> Shown | None:
        for selector in self._flow.qr_codes:
            picture = await self._opened.picture_of(selector)
            if picture is not None:
                return Shown("qr", picture)
        return None

    async def _renew_stale(self) -> None:
        for selector in self._flow.stale_codes:
            if await self._opened.exists(selector):
                await self._opened.click(next(iter(self._flow.qr_codes)))
                return

    async def _session(self) -> list[str]:
        return [one.value for one in self._flow.session_in(await self._opened.cookies())]

    async def _forget_answers(self) -> None:
        while await self._opened.next_answer(within_s=0) is not None:
            pass

    @property
    def _opened(self) -> Tab:
        if self._tab is None:
            raise RuntimeError("a login's tab is opened by `async with`")
        return self._tab


def load_logins(environ: Mapping[str, str], package: ModuleType = platforms_package) -> dict[str, LoginFlow]:
    """Return the login of every platform that offers one, by the name of its file, which is the platform's id.

    Raises SettingsError, as the platform itself does.
    """
    found: dict[str, LoginFlow] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        name = f"{package.__name__}.{info.name}"
        has_own_file = info.ispkg and importlib.util.find_spec(f"{name}.login") is not None
        module = importlib.import_module(f"{name}.login" if has_own_file else name)
        create: Callable[[Mapping[str, str]], LoginFlow] | None = getattr(module, "create_login", None)
        if create is not None:
            found[info.name] = create(environ)
    return found
