"""One task's visit to a site through a browser: one tab, its page's state, the answers it gets, the walls it meets."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from backend.core.clock import Clock
from backend.core.threads import in_thread
from backend.crawl.browser import Browsers, Captured, Listen, Tab
from backend.crawl.pacer import Pacer
from backend.crawl.refusal import Refusal, refusal_of_status
from backend.crawl.source_record import Record, snake_cased
from backend.crawl.state_literal import read_state
from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import NeedsPersonError, NotFoundError
from backend.domain.execution import TaskContext
from backend.domain.text import Text

_MAX_KEPT = 200
# A page fetches its code after it is shown.
_LOOKS = 8
_LOOK_EVERY_S = 0.5
_ADD_ACCOUNT = Text("添加这个账号并登录，然后点“继续”", "Add this account and log in, then resume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is known of a site's pages.

    `walls` are selectors of things that only a wall shows; `qr_codes` selectors of the picture to scan. A page's state
    is the literal assigned to `window.<state_name>`. `read_status` says what a page's own HTTP status means. The page
    at `login_url` shows a code to scan where the refused page itself shows none.
    """

    platform: str
    hosts: tuple[str, ...]
    listen: tuple[Listen, ...]
    state_name: str
    walls: tuple[tuple[str, Refusal], ...] = ()
    qr_codes: tuple[str, ...] = ()
    login_url: str | None = None
    wall_of_url: Callable[[str], Refusal | None] = lambda _: None
    read_status: Callable[[int], Refusal | None] = refusal_of_status


class Visit:
    """The tab of one attempt, opened when first needed. `visits` counts the pages shown so far."""

    def __init__(
        self, context: TaskContext, browsers: Browsers, site: Site, *, account: str, pacer: Pacer, clock: Clock
    ) -> None:
        self._context = context
        self._browsers = browsers
        self._site = site
        self._account = account
        self._pacer = pacer
        self._clock = clock
        self._tab: Tab | None = None
        self._kept: deque[Captured] = deque(maxlen=_MAX_KEPT)
        self._page: str | None = None
        self.state = Record(None)
        self.visits = 0

    # -- pages ---------------------------------------------------------------------------------------------------

    def shows(self, page: str) -> bool:
        """Whether the tab shows this page now."""
        return self._page == page

    async def show(self, url: str, *, page: str) -> Refusal | None:
        """Open a URL unless `page`, its name, is shown already; return the wall in its place, or None.

        `state` then is what the page's server wrote into it, in snake_case.
        """
        if self._page == page:
            return None
        self._page = None
        await self.pause()
        tab = await self._opened()
        await self._forget_answers(tab)
        status = await tab.open(url)
        wall = self._site.wall_of_url(tab.url)
        refused = wall or (None if status is None else self._site.read_status(status))
        if refused is not None:
            return refused
        html = await tab.html()
        self.state = Record(await in_thread(lambda: snake_cased(read_state(html, self._site.state_name))))
        self._page = page
        self.visits += 1
        return None

    def forget(self) -> None:
        """Load the page again the next time it is asked for."""
        self._page = None

    async def pause(self) -> None:
        """Wait for the next moment at which this site may be asked for something."""
        await self._context.sleep(self._pacer.reserve(self._clock.elapsed()))

    async def scroll(self, over: str | None = None) -> None:
        """Scroll as a person does."""
        await (await self._opened()).scroll(over)

    async def click(self, selector: str, *, within_s: float = 0.0) -> bool:
        """Click the first visible thing the selector finds; False when there is none, and none comes `within_s`."""
        tab = await self._opened()
        until = self._clock.elapsed() + within_s
        while not await tab.click(selector):
            if self._clock.elapsed() >= until:
                return False
            await self._context.sleep(_LOOK_EVERY_S)
        return True

    async def close(self) -> None:
        """Close the tab; a cancel does not cut it short."""
        tab, self._tab, self._page = self._tab, None, None
        if tab is not None:
            await tab.close()

    # -- answers -------------------------------------------------------------------------------------------------

    @property
    def is_asking(self) -> bool:
        """Whether the page waits for an answer that is listened for."""
        return self._tab is not None and self._tab.is_asking

    async def answer(self, belongs: Callable[[Captured], bool], *, within_s: float) -> Captured | None:
        """Return the next answer that belongs, None when none comes in time; others are kept for who asks next."""
        for kept in self._kept:
            if belongs(kept):
                self._kept.remove(kept)
                return kept
        tab = await self._opened()
        until = self._clock.elapsed() + within_s
        while (found := await tab.next_answer(within_s=max(0.0, until - self._clock.elapsed()))) is not None:
            if belongs(found):
                return found
            self._kept.append(found)
        return None

    # -- walls ---------------------------------------------------------------------------------------------------

    async def wall(self) -> Refusal | None:
        """Return the wall that stands where the page should be, or None."""
        tab = await self._opened()
        by_url = self._site.wall_of_url(tab.url)
        if by_url is not None:
            return by_url
        for selector, refusal in self._site.walls:
            if await tab.exists(selector):
                return refusal
        return None

    async def solved(self, wall: Refusal) -> None:
        """Have a person solve the wall that is shown; return when it is gone.

        A QR code is shown to the person and its page kept open meanwhile. For any other wall, and when nobody comes,
        raises NeedsPersonError with a picture of the page: the task waits, and goes on with the same unit.
        """
        tab = await self._opened()
        if wall.needs is ChallengeKind.LOGIN:
            await self._show_code(tab)
        challenge = await self._challenge(tab, wall)
        if challenge.qr is None:
            raise NeedsPersonError(wall.error, wall.message, action=wall.advice, challenge=challenge)
        shown = [challenge]

        async def is_solved() -> bool:
            return await self.wall() is None

        async def refreshed() -> Challenge | None:
            now = await self._challenge(tab, wall)
            if now.qr is None or now.qr == shown[0].qr:
                return None
            shown[0] = now
            return now

        self._context.log("warning", f"{wall.message.zh}，等待扫码")
        await self._context.wait_for_person(challenge, is_solved, refresh=refreshed)
        self.forget()

    async def _show_code(self, tab: Tab) -> None:
        """Wait until a code can be seen, on the login page if need be."""
        if await self._has_code(tab) or self._site.login_url is None:
            return
        self._page = None
        await self.pause()
        await tab.open(self._site.login_url)
        await self._has_code(tab)

    async def _has_code(self, tab: Tab) -> bool:
        for _ in range(_LOOKS):
            for selector in self._site.qr_codes:
                if await tab.exists(selector):
                    return True
            await self._context.sleep(_LOOK_EVERY_S)
        return False

    async def _challenge(self, tab: Tab, wall: Refusal) -> Challenge:
        qr = None
        for selector in self._site.qr_codes:
            qr = qr or await tab.picture_of(selector)
        kind = ChallengeKind.QR if qr is not None else wall.needs or ChallengeKind.LOGIN
        return Challenge(kind, screenshot=await tab.screenshot(), qr=qr, page_url=tab.url)

    async def _opened(self) -> Tab:
        if self._tab is None:
            self._context.check()
            try:
                self._tab = await self._browsers.open_tab(
                    self._context,
                    platform=self._site.platform,
                    account=self._account,
                    listen=self._site.listen,
                    hosts=self._site.hosts,
                )
            except NotFoundError as error:
                raise NeedsPersonError("NO_ACCOUNT", error.message, action=_ADD_ACCOUNT) from error
        return self._tab

    async def _forget_answers(self, tab: Tab) -> None:
        self._kept.clear()
        while await tab.next_answer(within_s=0) is not None:
            pass


async def with_walls_solved(
    visit: Visit, read: Callable[[], Awaitable[Any | Refusal]], *, most: int = 3
) -> Any | Refusal:
    """Return what `read` returns, having every wall it meets solved by a person and reading again.

    Raises NeedsPersonError for a wall that comes back `most` times.
    """
    for _ in range(most):
        found = await read()
        if not isinstance(found, Refusal) or found.needs is None:
            return found
        await visit.solved(found)
    raise NeedsPersonError(found.error, found.message, action=found.advice)
