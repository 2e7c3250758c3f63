"""Reading pages through a real browser: the user's own, the system's, or the server's own headless one.

A platform opens a tab, tells it which of the page's own answers to keep, and reads what the page shows and gets:

    listen = [Listen("GET", "/api/list")]
    async with await browsers.open_tab(context, platform="x", listen=listen, hosts=("x.com",)) as tab:
        await tab.open("https://www.x.com/")
        answer = await tab.next_answer(within_s=20)

In an execution `browsers` is `context.reach(tools.browsers)`, like every tool. Decisions behind it:
docs/decisions/0014-the-users-own-browser.md.
"""

from backend.crawl.browser.browsers import Browsers, LiveBrowsers
from backend.crawl.browser.capture import Captured, Listen
from backend.crawl.browser.options import BrowserOptions, Limits
from backend.crawl.browser.pace import Pace
from backend.crawl.browser.tab import Tab

__all__ = [
    "BrowserOptions",
    "Browsers",
    "Captured",
    "Limits",
    "Listen",
    "LiveBrowsers",
    "Pace",
    "Tab",
]
