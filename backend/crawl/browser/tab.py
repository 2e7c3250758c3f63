"""One tab: opened for one run of one task, used at a person's speed, closed whatever comes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from backend.crawl.browser.calls import Calls, finished
from backend.crawl.browser.capture import Answers, Captured, Listen, kept_headers, wanted_path
from backend.crawl.browser.closing import close_page
from backend.crawl.browser.errors import browser_gone, navigation_failed, page_hung, refused, tab_gone
from backend.crawl.browser.gate import BrowserGate
from backend.crawl.browser.options import Limits, Way
from backend.crawl.browser.pace import Pace, point_in
from backend.crawl.browser.process import BrowserProcess
from backend.crawl.browser.rules import NavigationRules
from backend.crawl.browser.sessions import TabUser, read_cookie
from backend.domain.account import Cookie

if TYPE_CHECKING:
    from backend.crawl.browser.driver import Page, Request, Response

T = TypeVar("T")

_REDIRECTS = range(300, 400)
# What gzip or brotli make of nothing is no longer.
_CODED_NOTHING_BYTES = 32
# A page that is closed or replaced says so a moment before it is known why.
_WORD_OF_END_S = 0.5
# What Playwright says of a thing that has left the page, or of a page that has given way to the next.
_THING_GONE = (
    *("not attached", "context was destroyed", "Cannot find context", "is not visible", "frame was detached"),
    *("different document", "because of a navigation"),
)
_SIZE_OF_SCREEN = "() => [innerWidth, innerHeight]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TabOrder:
    """What a tab is opened for."""

    context: TabUser
    listen: Sequence[Listen]
    hosts: tuple[str, ...]
    limits: Limits
    rules: NavigationRules
    pace: Pace
    chance: random.Random


class Tab:
    """A tab of our own. Leave it with `close`, or use it in `async with`; one user at a time.

    Every call checks the task's cancel first, has a limit, ends at once when cancelled, and raises TaskFailedError:
    BROWSER_NOT_CONNECTED when the tab or its browser is gone (another attempt goes on at its cursor), DEADLINE when
    the page hangs. `dropped` counts answers that were wanted and not kept, by reason: too_large, full, slow, broken.
    """

    def __init__(
        self, order: TabOrder, process: BrowserProcess, calls: Calls, *, on_closed: Callable[[], None]
    ) -> None:
        self._order = order
        self._context = order.context
        self._process = process
        self._calls = calls
        self._on_closed = on_closed
        self._page: Page | None = None
        self._gate: BrowserGate | None = None
        self._answers = Answers(order.limits)
        self._has_changed = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()
        self._asked: set[Request] = set()
        self._closing: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._has_crashed = False
        self._is_closed = False
        # From the start of a navigation to its end; one that is cancelled has none.
        self._is_moving = False
        self._held = ExitStack()
        self._last_url = "about:blank"
        self.dropped = self._answers.dropped

    async def __aenter__(self) -> Self:
        """Return the tab itself: it is open already."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the tab."""
        await self.close()

    @property
    def url(self) -> str:
        """Where the tab is now, or was last."""
        if self._page is not None and not self._is_closed:
            self._last_url = self._page.url
        return self._last_url

    # -- opening and closing -------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Open the tab; called once, by Browsers. A failed or cancelled opening leaves nothing."""
        self._held.enter_context(self._context.hold("connections"))
        # Not cancelled with its caller: a tab that opens after all must be closed by somebody who knows of it.
        self._opening = self._calls.own(self._begin(), name="tab:open")
        try:
            await self._opened(self._opening)
        except BaseException:
            await self.close()
            raise

    async def _opened(self, opening: "asyncio.Task[None]") -> None:
        limit_s = self._order.limits.call_s
        done, _ = await asyncio.wait({opening}, timeout=limit_s)
        if not done:
            raise page_hung("open", limit_s, "about:blank")
        try:
            opening.result()
        except self._process.foreign_error as error:
            raise self._explained(str(error)) from error

    async def _begin(self) -> None:
        page = self._page = await self._process.context.new_page()
        page.on("crash", lambda _: self._crashed())
        page.on("close", lambda _: self._gone())
        page.on("popup", self._close_popup)
        page.on("download", lambda download: self._calls.own(download.cancel(), name="tab:download"))
        page.on("dialog", lambda dialog: self._calls.own(dialog.dismiss(), name="tab:dialog"))
        page.on("response", self._answered)
        page.on("request", self._note_asked)
        page.on("requestfailed", self._note_failed)
        self._gate = self._process.gate
        if self._gate is None:
            # The browser is the user's: only what our own tab loads is ours to judge.
            session = await self._process.context.new_cdp_session(page)
            self._gate = BrowserGate(session, self._order.rules, self._calls)
            await self._gate.close_all_but_allowed()
        self._gate.allow(self._order.hosts)

    async def close(self) -> None:
        """Close the tab. Cancelling does not cut it short; it ends within its limit, killing a browser that hangs."""
        if self._closing is None:
            self._closing = self._calls.own(self._close(), name="tab:close")
        await finished(self._closing)

    async def _close(self) -> None:
        self._last_url = self.url
        self._is_closed = True
        for task in self._reading:
            task.cancel()
        try:
            if not await self._close_page():
                await self._process.end()
        finally:
            if self._reading:
                await asyncio.wait(set(self._reading))
            self._answers.clear()
            if self._gate is not None:
                self._gate.forget(self._order.hosts)
            self._has_changed.set()
            self._held.close()
            self._on_closed()

    async def _close_page(self) -> bool:
        """Close the page; False when the browser does not do it within the limit."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._order.limits.close_s
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening}, timeout=until - loop.time())
        page = self._page
        if page is None:
            return self._opening is None or self._opening.done()
        return await close_page(
            *(page, self._process, self._calls), limit_s=until - loop.time(), is_moving=self._is_moving
        )

    # -- what a person does --------------------------------------------------------------------------------------

    async def open(self, url: str) -> int | None:
        """Go to a URL; return its HTTP status (None when the page was there already) once its document is read.

        Raises TaskFailedError: SCHEME_REFUSED, PRIVATE_ADDRESS or BLOCKED for what may not be opened, redirects
        included; DNS_FAILED, CONNECT_FAILED, TLS_FAILED, NO_ANSWER, TOO_MANY_REDIRECTS, BROKEN_ANSWER; HTTP_STATUS for
        an error status without a page.
        """
        self._context.check()
        refusal = self._order.rules.refusal(url, self._order.hosts)
        if refusal is not None:
            raise refused(refusal, url)
        limit_s = self._order.limits.navigate_s
        self._is_moving = True
        response = await self._ask(
            lambda page: page.goto(url, wait_until="domcontentloaded", timeout=limit_s * 1000),
            "goto",
            limit_s=limit_s + 1,
            url=url,
        )
        self._is_moving = False
        return None if response is None else response.status

    async def scroll(self, over: str | None = None) -> None:
        """Turn the wheel until most of a screen has gone by or the page asks for more, then look at it for a moment.

        `over` is the selector of the thing the pointer rests on, for a list that scrolls by itself.
        """
        self._context.check()
        chance, pace = self._order.chance, self._order.pace
        width, height = await self._ask(lambda page: page.evaluate(_SIZE_OF_SCREEN), "scroll")
        box = (0.0, 0.0, float(width), float(height))
        if over is not None:
            box = await self._box_of(over) or box
        x, y = point_in(box, chance)
        await self._ask(lambda page: page.mouse.move(x, y, steps=5), "scroll")
        already = len(self._answers)
        for turn_px, pause_s in pace.turns(min(box[3], float(height)), chance):
            await self._context.sleep(pause_s)
            if self.is_asking or len(self._answers) > already:
                # Something is on its way, or here, and is looked at first: a page that is told to wait would ask again.
                break
            await self._ask(lambda page, dy=turn_px: page.mouse.wheel(0, dy), "scroll")  # type: ignore[misc]
        await self._context.sleep(pace.rest(chance))

    async def click(self, selector: str) -> bool:
        """Click the first visible thing that the selector finds, somewhere within it; False when there is none."""
        self._context.check()
        if not await self.exists(selector):
            return False
        limit_ms = self._order.limits.call_s * 1000
        await self._ask(lambda page: page.locator(selector).first.scroll_into_view_if_needed(timeout=limit_ms), "click")
        box = await self._box_of(selector)
        if box is None:
            return False
        x, y = point_in(box, self._order.chance)
        await self._ask(lambda page: page.mouse.move(x, y, steps=8), "click")
        await self._context.sleep(self._order.pace.aim(self._order.chance))
        await self._ask(lambda page: page.mouse.click(x, y, delay=40), "click")
        return True

    async def _box_of(self, selector: str) -> tuple[float, float, float, float] | None:
        box = await self._ask(lambda page: page.locator(selector).first.bounding_box(), "box")
        return None if box is None else (box["x"], box["y"], box["width"], box["height"])

    # -- what a person sees --------------------------------------------------------------------------------------

    async def html(self) -> str:
        """Return the page as it is now."""
        return await self._ask(lambda page: page.content(), "html")

    async def exists(self, selector: str) -> bool:
        """Tell whether the selector finds something that can be seen now; nothing is waited for."""
        return await self._ask(lambda page: page.locator(selector).first.is_visible(), "exists")

    async def screenshot(self) -> bytes:
        """Return what the window shows, as JPEG."""
        return await self._ask(
            lambda page: page.screenshot(type="jpeg", quality=80, scale="css", timeout=self._limit_ms), "screenshot"
        )

    async def picture_of(self, selector: str) -> bytes | None:
        """Return a picture of the first thing the selector finds, as PNG; None when there is none to be seen.

        What goes while it is looked at (a code that was scanned) is not waited for: a locator would wait for the next.
        """
        return await self._ask(lambda page: self._picture(page, selector), "picture")

    async def _picture(self, page: "Page", selector: str) -> bytes | None:
        try:
            found = await page.query_selector(selector)
            if found is None or not await found.is_visible():
                return None
            return await found.screenshot(timeout=self._limit_ms)
        except self._process.foreign_error as error:
            if any(word in str(error) for word in _THING_GONE):
                return None
            raise

    @property
    def is_the_users_own(self) -> bool:
        """Whether this is a tab of the user's own Chrome, whose session is not ours to keep."""
        return self._process.way is Way.ATTACH

    async def cookies(self) -> list[Cookie]:
        """Return the cookies that the page's own site has set in this browser."""
        url = self.url
        told = await self._ask(lambda page: page.context.cookies(url), "cookies")
        return [read_cookie(one) for one in told]

    @property
    def _limit_ms(self) -> float:
        return self._order.limits.call_s * 1000

    # -- what the page gets --------------------------------------------------------------------------------------

    @property
    def is_asking(self) -> bool:
        """Whether the page has asked for something that is listened for, and the answer is not here yet."""
        return bool(self._asked or self._reading)

    async def next_answer(self, *, within_s: float) -> Captured | None:
        """Return the next answer that was listened for, None when none came within the time.

        In the order in which they were complete. What came before the tab went is still given out.
        """
        self._context.check()
        try:
            async with asyncio.timeout(within_s):
                while True:
                    answer = self._answers.take()
                    if answer is not None:
                        return answer
                    self._refuse_when_gone()
                    self._has_changed.clear()
                    await self._wait_for_change()
        except TimeoutError:
            return None

    async def _wait_for_change(self) -> None:
        gone = asyncio.ensure_future(self._process.gone.wait())
        changed = asyncio.ensure_future(self._has_changed.wait())
        try:
            await asyncio.wait({gone, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            changed.cancel()

    def _note_asked(self, request: "Request") -> None:
        if not self._is_closed and wanted_path(request.url, request.method, self._order.listen) is not None:
            self._asked.add(request)

    def _note_failed(self, request: "Request") -> None:
        self._asked.discard(request)
        self._has_changed.set()

    def _answered(self, response: "Response") -> None:
        self._asked.discard(response.request)
        if self._is_closed or response.status in _REDIRECTS:
            return
        path = wanted_path(response.url, response.request.method, self._order.listen)
        if path is not None:
            task = self._calls.own(self._read(response, path), name="tab:body")
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _read(self, response: "Response", path: str) -> None:
        try:
            body = await self._body_of(response)
        except TimeoutError:
            reason: str | None = self._answers.drop("slow")
        except self._process.foreign_error:
            reason = self._answers.drop("broken")
        else:
            request = response.request
            reason = self._answers.add(
                Captured(
                    *(response.url, path, request.method, response.status, body, _text_of(request.post_data_buffer)),
                    headers=kept_headers(response.headers),
                )
            )
        if reason is not None and not self._is_closed:
            self._context.log(
                "warning", f"页面的一次应答没有保留 / an answer of the page was not kept: {reason}", path=path
            )
        self._has_changed.set()

    async def _body_of(self, response: "Response") -> bytes:
        """Return the body. Raises TimeoutError, and Playwright's error when it cannot be had any more."""
        limit_s = self._order.limits.body_s
        try:
            return await self._calls.within(response.body, limit_s=limit_s, name="tab:bytes")
        except self._process.foreign_error:
            # The DevTools protocol has no words for an empty body: it says that there is none (measured).
            sizes = await self._calls.within(response.request.sizes, limit_s=limit_s, name="tab:sizes")
            is_coded = "content-encoding" in response.headers
            if sizes["responseBodySize"] <= (_CODED_NOTHING_BYTES if is_coded else 0):
                return b""
            raise

    # -- the rest ------------------------------------------------------------------------------------------------

    async def _ask(
        self, make: "Callable[[Page], Awaitable[T]]", what: str, *, limit_s: float | None = None, url: str | None = None
    ) -> T:
        self._context.check()
        self._refuse_when_gone()
        page, limit_s = self._page, limit_s or self._order.limits.call_s
        if page is None:
            raise tab_gone(has_crashed=False)
        try:
            return await self._calls.within(lambda: make(page), limit_s=limit_s, name=f"tab:{what}")
        except TimeoutError:
            self._refuse_when_gone()
            raise page_hung(what, limit_s, url or self.url) from None
        except self._process.foreign_error as error:
            if "ERR_ABORTED" in str(error):
                self._has_changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_WORD_OF_END_S):
                        await self._wait_for_change()
            raise self._explained(str(error), what=what, url=url) from error

    def _explained(self, detail: str, *, what: str = "open", url: str | None = None) -> Exception:
        self._refuse_when_gone()
        shown = url or self.url
        if "has been closed" in detail or "Target closed" in detail or "crashed" in detail.lower():
            return browser_gone() if self._process.is_gone else tab_gone(has_crashed=self._has_crashed)
        if "Timeout" in detail:
            return page_hung(
                what, self._order.limits.navigate_s if what == "goto" else self._order.limits.call_s, shown
            )
        refusal = (
            self._gate.why_refused(shown) if self._gate is not None and "ERR_BLOCKED_BY_CLIENT" in detail else None
        )
        if refusal is not None:
            return refused(*refusal)
        return navigation_failed(detail, shown)

    def _refuse_when_gone(self) -> None:
        if self._process.is_gone:
            raise browser_gone()
        if self._is_closed:
            raise tab_gone(has_crashed=self._has_crashed)

    def _crashed(self) -> None:
        self._has_crashed = True
        self._gone()

    def _gone(self) -> None:
        self._is_closed = True
        self._has_changed.set()

    def _close_popup(self, popup: Any) -> None:
        self._calls.own(popup.close(), name="tab:popup")


def _text_of(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")
