"""The browsers of this server: one process for each account, shared by many tasks, started at the first tab."""

import asyncio
import random
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from backend.core.http import NetworkPolicy
from backend.crawl.browser.calls import Calls, finished
from backend.crawl.browser.capture import Listen
from backend.crawl.browser.errors import no_browser
from backend.crawl.browser.options import BrowserOptions, Limits, NoBrowser, Way, availability_of, find_way
from backend.crawl.browser.ownership import FolderLock, reap
from backend.crawl.browser.pace import Pace
from backend.crawl.browser.process import BrowserProcess, Plan
from backend.crawl.browser.profiles import Profiles, profile_name
from backend.crawl.browser.rules import NavigationRules
from backend.crawl.browser.sessions import PlainSessions, Sessions, TabUser
from backend.crawl.browser.tab import Tab, TabOrder
from backend.domain.account import FIRST_PROFILE, Session
from backend.domain.errors import BusyError, ShuttingDownError
from backend.domain.platform import Availability
from backend.domain.text import Text

_RUN = ".run"
_ATTACHED = "attached"
_IN_USE = Text(
    "这个账号的浏览器正在使用中，请先取消用它的任务",
    "This account's browser is in use: cancel the tasks that use it first",
)


@dataclass(frozen=True, slots=True)
class LiveBrowsers:
    """What is held right now; a browser counts until nothing of it is left."""

    tabs: int
    browsers: int


@dataclass(slots=True, eq=False)
class _Shared:
    """One browser process and those who use it."""

    process: BrowserProcess
    starting: "asyncio.Task[None]"
    users: int = 0
    idle: asyncio.TimerHandle | None = None


class Browsers:
    """Opens tabs. Made anywhere, started and stopped on the server's loop; no process runs before the first tab."""

    def __init__(
        self,
        options: BrowserOptions,
        *,
        folder: Path,
        policy: NetworkPolicy,
        limits: Limits | None = None,
        pace: Pace | None = None,
        chance: random.Random | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        """`folder` keeps the profiles, one for each account; `policy` is the network gate's.

        Without `sessions` an account's name is its profile's, and profiles are all there is of a session.
        """
        self._sessions = sessions or PlainSessions()
        self._profiles = Profiles(folder)
        self._options = options
        self._folder = folder
        self._limits = limits or Limits()
        self._pace = pace or Pace()
        self._chance = chance or random.Random()  # noqa: S311 - a hand's jitter, nothing secret
        self._rules = NavigationRules(policy)
        self._shared: dict[str, _Shared] = {}
        # By profile, those that are ending too: the next browser waits until its profile is free.
        self._processes: dict[str, list[BrowserProcess]] = {}
        self._tabs: set[Tab] = set()
        self._is_open = False
        self._calls = Calls()
        self._driver_turn = asyncio.Lock()
        self._places = asyncio.Semaphore(options.max_tabs)
        self._run = folder / _RUN / secrets.token_hex(6)
        self._owned: FolderLock | None = None

    # -- the life of the pool ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take orders from now on; end what a server that was killed has left running."""
        ended = reap(self._folder / _RUN)
        if ended:
            logger.warning("ended what a killed server had left of its browsers: {} programs", ended)
        await self._profiles.sweep()
        self._is_open = True

    async def stop(self) -> None:
        """Take no more orders; close every tab and every browser, within their limits."""
        self._is_open = False
        tabs = [self._calls.own(tab.close(), name="tab:stop") for tab in self._tabs]
        for tab in tabs:
            await finished(tab)
        browsers = [self._calls.own(self._close(key, one), name="browser:stop") for key, one in self._shared.items()]
        for end in browsers:
            await finished(end)
        for name in self._processes:
            for process in self._not_ended(name):
                await finished(self._calls.own(process.end(), name="browser:left"))
        await self._calls.settle(limit_s=self._limits.kill_s)
        if self._owned is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._owned.release()
            self._owned = None

    def live(self) -> LiveBrowsers:
        """Return how many tabs and browsers are open."""
        return LiveBrowsers(len(self._tabs), sum(len(self._not_ended(name)) for name in self._processes))

    def availability(self) -> Availability:
        """Return whether a tab could be opened, as far as this machine's files tell."""
        return availability_of(self._options)

    # -- tabs ----------------------------------------------------------------------------------------------------

    async def open_tab(
        self,
        context: TabUser,
        *,
        platform: str,
        account: str = FIRST_PROFILE,
        listen: Sequence[Listen] = (),
        hosts: tuple[str, ...] = (),
    ) -> Tab:
        """Open a tab in the browser of this platform's account, starting it if need be; waits for a free place.

        `account` is an id or a label; `default` is the platform's default account. A task's context and a login's are
        all the same here. `hosts` are the names (and all names below them) that documents may come from. The caller
        closes the tab.
        Raises NotFoundError when there is no such account.
        Raises NeedsPersonError: NO_BROWSER, or BROWSER_NOT_CONNECTED when it cannot be attached to or started.
        Raises TaskFailedError, to be tried again, when the browser ends while the tab is opened.
        """
        context.check()
        if not self._is_open:
            raise ShuttingDownError
        await self._places.acquire()
        try:
            session = await self._sessions.session_of(platform, account)
            shared = await self._take(platform, session)
        except BaseException:
            self._places.release()
            raise
        order = TabOrder(
            context=context,
            listen=tuple(listen),
            hosts=hosts,
            limits=self._limits,
            rules=self._rules,
            pace=self._pace,
            chance=self._chance,
        )
        tab = Tab(order, shared.process, self._calls, on_closed=lambda: self._closed(tab, shared))
        self._tabs.add(tab)
        await tab.begin()
        return tab

    def _closed(self, tab: Tab, shared: _Shared) -> None:
        self._tabs.discard(tab)
        self._places.release()
        self._let_go(shared)

    # -- profiles ------------------------------------------------------------------------------------------------

    def way(self) -> Way | None:
        """Return how a browser would be come by now; None when there is none."""
        try:
            return find_way(self._options).way
        except NoBrowser:
            return None

    def has_profile(self, platform: str, profile: str) -> bool:
        """Whether a browser of this account has run here before."""
        return self._profiles.has(profile_name(platform, profile))

    def know_session(self, platform: str, profile: str, version: int) -> None:
        """Note that this profile holds the stored session of that version: it is not given it once more."""
        self._profiles.mark(profile_name(platform, profile), version)

    async def end_unused(self, platform: str, profile: str) -> bool:
        """End the account's browser unless a tab is open in it; return whether none runs now. Never an attached one."""
        name = profile_name(platform, profile)
        shared = self._shared.get(name)
        if shared is not None and shared.users > 0:
            return False
        if shared is not None:
            await finished(self._calls.own(self._close(name, shared), name="browser:unused"))
        for process in self._not_ended(name):
            await process.ended.wait()
        return True

    async def remove_profile(self, platform: str, profile: str) -> None:
        """End the account's browser and remove its profile from the disk.

        Raises BusyError while tabs are open in it, here or by another server.
        """
        if not await self.end_unused(platform, profile):
            raise BusyError(_IN_USE)
        await finished(self._calls.own(self._profiles.remove(profile_name(platform, profile)), name="browser:remove"))

    # -- browsers ------------------------------------------------------------------------------------------------

    async def _take(self, platform: str, session: Session) -> _Shared:
        """Return the running browser of an account, counted as used. A cancel ends one that only we wait for."""
        shared = self._shared_of(platform, session)
        shared.users += 1
        if shared.idle is not None:
            shared.idle.cancel()
        try:
            await asyncio.wait({shared.starting})
            shared.starting.result()
        except BaseException:
            shared.users -= 1
            if shared.users == 0 and not shared.starting.done():
                await finished(self._calls.own(self._drop(shared), name="browser:drop"))
            raise
        return shared

    def _shared_of(self, platform: str, session: Session) -> _Shared:
        try:
            found = find_way(self._options)
        except NoBrowser as error:
            raise no_browser(error.availability) from None
        name = _ATTACHED if found.way is Way.ATTACH else profile_name(platform, session.profile)
        running = self._shared.get(name)
        if running is not None and not running.process.is_gone:
            return running
        plan = Plan(
            found=found,
            options=self._options,
            limits=self._limits,
            rules=self._rules,
            folder=self._own_folder() / secrets.token_hex(6),
            profile=self._folder / name,
        )
        process = BrowserProcess(plan, self._calls, self._driver_turn)
        before = self._not_ended(name)
        self._processes[name] = [*before, process]
        starting = self._calls.own(_start_after(before, process, session), name=f"browser:{name}")
        shared = _Shared(process, starting)
        self._shared[name] = shared
        process.on_gone = lambda: self._lost(shared)
        return shared

    def _not_ended(self, name: str) -> list[BrowserProcess]:
        return [one for one in self._processes.get(name, []) if not one.ended.is_set()]

    def _own_folder(self) -> Path:
        """Return the folder where this process notes what it starts; made and locked with the first browser."""
        if self._owned is None:
            owned = FolderLock(self._run)
            while not owned.try_take():
                # Another server, starting, took it for a dead one's.
                self._run = self._folder / _RUN / secrets.token_hex(6)
                owned = FolderLock(self._run)
            self._owned = owned
        return self._run

    def _let_go(self, shared: _Shared) -> None:
        shared.users -= 1
        if shared.users == 0 and self._is_open and not shared.process.is_gone:
            loop = asyncio.get_running_loop()
            shared.idle = loop.call_later(self._options.idle_s, self._end_idle, shared)

    def _end_idle(self, shared: _Shared) -> None:
        if shared.users == 0:
            self._forget(shared)
            self._calls.own(shared.process.stop(), name="browser:idle")

    def _lost(self, shared: _Shared) -> None:
        """Take away what is left of a browser that has ended: its driver. It may still be writing its profile."""
        self._forget(shared)
        self._calls.own(shared.process.end(grace_s=self._limits.kill_s), name="browser:lost")

    def _forget(self, shared: _Shared) -> None:
        for name, one in list(self._shared.items()):
            if one is shared:
                del self._shared[name]

    async def _drop(self, shared: _Shared) -> None:
        self._forget(shared)
        await shared.process.end()
        await asyncio.wait({shared.starting})

    async def _close(self, name: str, shared: _Shared) -> None:
        self._shared.pop(name, None)
        if shared.idle is not None:
            shared.idle.cancel()
        if shared.starting.done():
            await shared.process.stop()
        else:
            await self._drop(shared)


async def _start_after(before: Sequence[BrowserProcess], process: BrowserProcess, session: Session) -> None:
    for one in before:
        await one.ended.wait()
    await process.start(session)
