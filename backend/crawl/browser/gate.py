"""The check of every document that a browser of ours, or one tab of an attached one, is about to load."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backend.crawl.browser.calls import Calls
from backend.crawl.browser.rules import NavigationRules, Refusal

if TYPE_CHECKING:
    from backend.crawl.browser.driver import CDPSession

_DOCUMENTS = {"patterns": [{"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"}]}
_KEPT_REFUSALS = 100


class BrowserGate:
    """Holds each document back until it is judged: redirects, frames and popups are documents too.

    Through the DevTools protocol and not Playwright's routes: those stop every picture as well, and switch the
    browser's cache off (measured), so that each page would load everything anew. On a session of a whole browser it
    sees all its tabs, popups before they are known and frames in other processes; on a session of one tab the tab's
    own documents and the first one of each frame.
    """

    def __init__(self, session: "CDPSession", rules: NavigationRules, calls: Calls) -> None:
        self._session = session
        self._rules = rules
        self._calls = calls
        self._hosts: Counter[str] = Counter()
        self._refusals: dict[str, Refusal] = {}

    async def close_all_but_allowed(self) -> None:
        """Hold documents back from now on."""
        self._session.on("Fetch.requestPaused", self._paused)
        await self._session.send("Fetch.enable", _DOCUMENTS)

    def allow(self, hosts: Iterable[str]) -> None:
        """Let a tab's hosts through; `forget` them at its end."""
        self._hosts.update(hosts)

    def forget(self, hosts: Iterable[str]) -> None:
        """Take a tab's hosts back."""
        self._hosts.subtract(hosts)
        self._hosts = +self._hosts

    def why_refused(self, url: str) -> tuple[Refusal, str] | None:
        """Return the newest refusal and its URL, and forget all; `url` when it is among them."""
        if not self._refusals:
            return None
        found = url if url in self._refusals else next(reversed(self._refusals))
        reason = self._refusals[found]
        self._refusals.clear()
        return reason, found

    def _paused(self, event: dict[str, Any]) -> None:
        self._calls.own(self._judge(event), name="browser:judge")

    async def _judge(self, event: dict[str, Any]) -> None:
        url = str(event["request"]["url"])
        refusal = self._rules.refusal(url, self._hosts)
        request = {"requestId": event["requestId"]}
        if refusal is None:
            await self._session.send("Fetch.continueRequest", request)
            return
        if len(self._refusals) < _KEPT_REFUSALS:
            self._refusals[url] = refusal
        await self._session.send("Fetch.failRequest", {**request, "errorReason": "BlockedByClient"})
