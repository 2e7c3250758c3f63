"""One browser and the driver that speaks to it: started, watched, closed, and killed when it will not close."""

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from loguru import logger

from backend.crawl.browser.bound import KILL, Noted, Starters, is_group_alive, noted_in, until_ended
from backend.crawl.browser.calls import Calls, finished
from backend.crawl.browser.errors import browser_gone, launched_late, not_attached, not_launched, profile_taken
from backend.crawl.browser.gate import BrowserGate
from backend.crawl.browser.options import DEFAULT_CDP_URL, BrowserOptions, Found, Limits, Way
from backend.crawl.browser.ownership import FolderLock, free_profile
from backend.crawl.browser.rules import NavigationRules
from backend.crawl.browser.sessions import cookies_to_add, write_mark
from backend.domain.account import Session

if TYPE_CHECKING:
    from backend.crawl.browser.driver import Browser, BrowserContext, CDPSession, Playwright

_POLL_S = 0.02
_FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    # Without it a window in the background is told that it is hidden, and its pages stop.
    "--disable-backgrounding-occluded-windows",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start and where. `folder` is this browser's own, removed at its end; `profile` is kept."""

    found: Found
    options: BrowserOptions
    limits: Limits
    rules: NavigationRules
    folder: Path
    profile: Path


class BrowserProcess:
    """A browser with its driver. `gone`: it can be used no more, whoever ended it. `ended`: nothing of it is left."""

    def __init__(self, plan: Plan, calls: Calls, driver_turn: asyncio.Lock) -> None:
        """`driver_turn`: drivers are started one at a time, see driver.start."""
        self._plan = plan
        self._calls = calls
        self._driver_turn = driver_turn
        self._starters = Starters(plan.folder)
        self._profile_lock = FolderLock(plan.profile)
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._session: CDPSession | None = None
        self._is_leaving = False
        self._end: asyncio.Task[None] | None = None
        self.gate: BrowserGate | None = None
        self.gone = asyncio.Event()
        self.ended = asyncio.Event()
        self._watching: list[asyncio.Task[None]] = []
        self.on_gone: Callable[[], None] = lambda: None

    @property
    def way(self) -> Way:
        """How this browser was come by."""
        return self._plan.found.way

    @property
    def context(self) -> "BrowserContext":
        """Where tabs are opened. Raises TaskFailedError when the browser is gone."""
        if self._context is None or self.gone.is_set():
            raise browser_gone()
        return self._context

    async def browser_session(self) -> "CDPSession":
        """Return the one session that speaks to the browser itself, past all pages. Raises TaskFailedError."""
        if self._browser is None:
            raise browser_gone()
        if self._session is None:
            self._session = await self._browser.new_browser_cdp_session()
        return self._session

    @property
    def is_gone(self) -> bool:
        """Whether the browser has ended, or is being ended."""
        return self.gone.is_set()

    @property
    def foreign_error(self) -> type[Exception]:
        """What Playwright raises."""
        from backend.crawl.browser import driver  # noqa: PLC0415

        return driver.Error

    def noted(self) -> list[Noted]:
        """Return the programs of this browser that were started."""
        return noted_in(self._plan.folder)

    # -- starting ------------------------------------------------------------------------------------------------

    async def start(self, session: Session | None = None) -> None:
        """Start the driver, then start the browser or attach to it. Raises NeedsPersonError, TaskFailedError.

        A browser of ours is given `session` where its profile has none. A failed start leaves nothing. Run it in a
        task that nobody cancels: `end` cuts it short.
        """
        try:
            await self._start(session)
        except BaseException:
            await self.end()
            raise

    async def _start(self, session: Session | None) -> None:
        from backend.crawl.browser import driver  # noqa: PLC0415 - the extra may not be installed

        limits = self._plan.limits
        self._refuse_when_ending()
        try:
            async with self._driver_turn:
                self._playwright = await self._call(lambda: driver.start(self._node()), limits.launch_s, "driver")
            self._refuse_when_ending()
            self._watching = [self._calls.own(self._watch_over(one), name="browser:watch") for one in self._drivers()]
            await (self._attach() if self.way is Way.ATTACH else self._launch(session))
        except driver.Error as error:
            raise self._not_started(str(error)) from error
        except TimeoutError:
            raise self._started_late() from None
        self._refuse_when_ending()

    async def _attach(self) -> None:
        limit_s, url = self._plan.limits.attach_s, self._cdp_url
        chromium = self._started.chromium
        # no_defaults: the user's own tabs keep their downloads, colours and sizes.
        self._browser = await self._call(
            lambda: chromium.connect_over_cdp(url, timeout=limit_s * 1000, no_defaults=True), limit_s, "attach"
        )
        self._watch(self._browser)
        if not self._browser.contexts:
            raise not_attached(url, is_late=False)
        self._context = self._browser.contexts[0]

    async def _launch(self, stored: Session | None) -> None:
        limit_s = self._plan.limits.launch_s
        options = self._launch_options()
        chromium = self._started.chromium
        self._context = await self._call(
            lambda: chromium.launch_persistent_context(**options, timeout=limit_s * 1000), limit_s, "launch"
        )
        self._browser = self._context.browser
        self._watch(self._context)
        if self._browser is None:
            raise browser_gone()
        session = await self._call(self.browser_session, self._plan.limits.call_s, "gate")
        self.gate = BrowserGate(session, self._plan.rules, self._calls)
        await self._call(self.gate.close_all_but_allowed, self._plan.limits.call_s, "gate")
        if stored is not None and stored.cookies:
            await self._give(stored)

    async def _give(self, session: Session) -> None:
        """Give the browser what it lacks of the stored session; a cookie it refuses costs no task its start."""
        limit_s, profile = self._plan.limits.call_s, self._plan.profile
        try:
            wanted = cookies_to_add(session, await self._call(self.context.cookies, limit_s, "cookies"), profile)
            if wanted:
                await self._call(lambda: self.context.add_cookies(cast("Any", wanted)), limit_s, "session")
        except self.foreign_error:
            # Its words may quote a value.
            logger.warning("a browser has refused the stored session of {}", profile.name)
            return
        write_mark(profile, session.version)

    def _launch_options(self) -> dict[str, Any]:
        plan = self._plan
        program = plan.found.program
        if program is None:
            raise RuntimeError("a browser that is launched has a program")
        if not self._profile_lock.try_take():
            raise profile_taken(plan.profile.name)
        free_profile(plan.profile)
        is_headless = self.way is Way.HEADLESS
        # SIGTERM, so that it writes its cookies when its driver dies.
        starter = self._starters.make("browser", program, dies_by=signal.SIGTERM)
        return {
            "user_data_dir": plan.profile,
            "executable_path": starter,
            "headless": is_headless,
            "no_viewport": None if is_headless else True,
            "args": [*_FLAGS, *plan.rules.resolver_flags()],
            "chromium_sandbox": _is_sandboxed(plan.options),
            "accept_downloads": False,
            "service_workers": "block",
            "permissions": [],
            # Ctrl+C and SIGTERM are ours to handle: the browser is closed after what uses it.
            "handle_sigint": False,
            "handle_sigterm": False,
            "handle_sighup": False,
            "env": dict(os.environ),
        }

    def _node(self) -> Path:
        from backend.crawl.browser import driver  # noqa: PLC0415

        node = driver.node_of()
        if node is None:
            raise not_launched("Playwright's Node.js is missing; set PLAYWRIGHT_NODEJS_PATH")
        scratch = self._plan.folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._starters.make("driver", node, dies_by=KILL, environ={"TMPDIR": str(scratch)})

    @property
    def _cdp_url(self) -> str:
        return self._plan.options.cdp_url or DEFAULT_CDP_URL

    @property
    def _started(self) -> "Playwright":
        if self._playwright is None:
            raise browser_gone()
        return self._playwright

    def _watch(self, ends: Any) -> None:
        event = "close" if ends is self._context else "disconnected"
        ends.on(event, lambda _: self._has_gone())

    def _drivers(self) -> list[Noted]:
        return noted_in(self._plan.folder, "driver")

    async def _watch_over(self, driver: Noted) -> None:
        # Playwright itself tells nobody that its driver has died.
        await until_ended(driver.pid)
        self._has_gone()

    def _has_gone(self) -> None:
        if not self.gone.is_set():
            self.gone.set()
            if not self._is_leaving:
                self.on_gone()

    def _not_started(self, detail: str) -> Exception:
        if self._is_leaving:
            return browser_gone()
        if self.way is Way.ATTACH:
            return not_attached(self._cdp_url, is_late="Timeout" in detail)
        return launched_late() if "Timeout" in detail else not_launched(detail)

    def _started_late(self) -> Exception:
        return not_attached(self._cdp_url, is_late=True) if self.way is Way.ATTACH else launched_late()

    def _refuse_when_ending(self) -> None:
        if self._is_leaving:
            raise browser_gone()

    async def _call(self, make: Callable[[], Any], limit_s: float, name: str) -> Any:
        return await self._calls.within(make, limit_s=limit_s, name=f"browser:{name}")

    # -- ending --------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Close the browser as a person would; kill it when it takes too long. An attached one is left as it is."""
        self._is_leaving = True
        if self._context is not None and self.way is not Way.ATTACH and not self.gone.is_set():
            with contextlib.suppress(TimeoutError, self.foreign_error):
                await self._call(self._context.close, self._plan.limits.leave_s, "close")
        await self.end()

    async def end(self, *, grace_s: float = 0.0) -> None:
        """End what is left: the driver, and a browser that is ours, which may take `grace_s` to leave by itself.

        An attached browser is only let go. However often it is called, there is one end, and all wait for it.
        """
        if self._end is None:
            self._end = self._calls.own(self._end_all(grace_s), name="browser:end")
        await finished(self._end)

    async def _end_all(self, grace_s: float) -> None:
        self._is_leaving = True
        self._has_gone()
        for watch in self._watching:
            watch.cancel()
        if not await self._have_left(["browser"], within_s=grace_s):
            logger.debug("a browser is killed: {}", self._plan.folder.name)
        stopping = None
        if self._playwright is not None:
            # It must know that it is stopped before its driver is killed, or it reports an error that nobody reads.
            stopping = self._calls.own(self._playwright.stop(), name="browser:stop")
            await asyncio.sleep(0)
        self._starters.close()
        for program in self.noted():
            program.kill_group()
        limit_s = self._plan.limits.kill_s
        if stopping is not None:
            await asyncio.wait({stopping}, timeout=limit_s)
        await self._have_left(["browser", "driver"], within_s=limit_s)
        self._starters.remove()
        self._profile_lock.release()
        self.ended.set()

    async def _have_left(self, roles: Sequence[str], *, within_s: float) -> bool:
        """Wait until none of these programs runs; False when one still does. Nobody tells of others' children."""
        programs = [one for role in roles for one in noted_in(self._plan.folder, role)]
        for _ in range(math.ceil(within_s / _POLL_S)):
            if not any(is_group_alive(one.pid) for one in programs):
                return True
            await asyncio.sleep(_POLL_S)
        return not any(is_group_alive(one.pid) for one in programs)


def _is_sandboxed(options: BrowserOptions) -> bool:
    if options.is_sandboxed is not None:
        return options.is_sandboxed
    # Chromium refuses its sandbox to root.
    return not (hasattr(os, "geteuid") and os.geteuid() == 0)
