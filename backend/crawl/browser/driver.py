"""The only module that imports Playwright. It is itself imported when the first browser is started, not before."""

import os
from pathlib import Path
from types import TracebackType

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Error,
    Page,
    Playwright,
    Request,
    Response,
    async_playwright,
)

__all__ = [
    "Browser",
    "BrowserContext",
    "CDPSession",
    "Error",
    "Page",
    "Playwright",
    "Request",
    "Response",
    "node_of",
    "start",
]

# How Playwright is told which Node.js to run its driver with: the only hook it has for that.
_NODE = "PLAYWRIGHT_NODEJS_PATH"


def node_of() -> Path | None:
    """Return the Node.js that would run the driver; None when this installation has none."""
    chosen = os.environ.get(_NODE)
    if chosen:
        return Path(chosen)
    import playwright  # noqa: PLC0415 - only its place is wanted

    bundled = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")
    return bundled if bundled.is_file() else None


async def start(node: Path) -> Playwright:
    """Start a driver with this program as its Node.js. Raises Error when the program ends instead.

    One call at a time: the variable is the whole process's.
    """
    before = os.environ.get(_NODE)
    os.environ[_NODE] = str(node)
    try:
        with _NamedErrors():
            return await async_playwright().start()
    finally:
        if before is None:
            os.environ.pop(_NODE, None)
        else:
            os.environ[_NODE] = before


class _NamedErrors:
    """Gives a class to what Playwright raises without one: `Exception` itself, when its driver ends as it starts."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is Exception:
            raise Error(str(error)) from error
