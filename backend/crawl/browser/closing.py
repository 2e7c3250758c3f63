"""Closing one page, whatever it is doing."""

import asyncio
from typing import TYPE_CHECKING

from backend.crawl.browser.calls import Calls
from backend.crawl.browser.process import BrowserProcess

if TYPE_CHECKING:
    from backend.crawl.browser.driver import Page

# A close that is asked for while a navigation moves the page to another process can be lost in Chromium 156 (measured:
# one in about 40 cancelled navigations waits for ever; asked a second time, the page closes within 0.1 s).
_ASK_AGAIN_MOVING_S = 0.25
# A page whose script never returns is closed by Chromium after 0.5 s, and each asking begins that anew.
_ASK_AGAIN_S = 0.8


async def close_page(page: "Page", process: BrowserProcess, calls: Calls, *, limit_s: float, is_moving: bool) -> bool:
    """Close the page; False when the browser has not done it within the limit. It may be closed or gone already.

    `is_moving`: a navigation was cut short, and may be moving the page to another process just now.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s
    closing = calls.own(page.close(), name="tab:page")
    patience_s = _ASK_AGAIN_MOVING_S if is_moving else _ASK_AGAIN_S
    done, _ = await asyncio.wait({closing}, timeout=max(0.0, min(patience_s, limit_s)))
    if not done:
        asking = calls.own(_ask_again(page, process), name="tab:close-again")
        done, _ = await asyncio.wait({closing}, timeout=max(0.0, until - loop.time()))
        asking.cancel()
        closing.cancel()
    return bool(done)


async def _ask_again(page: "Page", process: BrowserProcess) -> None:
    """Ask the browser itself, past the page."""
    session = await page.context.new_cdp_session(page)
    info = await session.send("Target.getTargetInfo")
    browser = await process.browser_session()
    await browser.send("Target.closeTarget", {"targetId": info["targetInfo"]["targetId"]})
