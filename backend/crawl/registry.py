"""The platforms of this installation: every file in crawl/platforms/, by its id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from backend.core.discovery import discover
from backend.crawl import platforms as platforms_package
from backend.crawl.platform import CrawlPlatform, CrawlTools
from backend.domain.errors import UnknownPlatformError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, PlatformInfo
from backend.domain.task import TaskKind
from backend.domain.text import Text


class PlatformRegistry(Mapping[str, CrawlPlatform]):
    """Platforms by id, in the order of their files' names. Build it with `load_platforms`."""

    def __init__(self, found: Sequence[CrawlPlatform]) -> None:
        """Raises ValueError when two platforms claim one id, or one is not a platform of crawls."""
        self._by_id: dict[str, CrawlPlatform] = {}
        for platform in found:
            _check(platform.info)
            if platform.info.id in self._by_id:
                raise ValueError(f"two platforms claim the id {platform.info.id!r}")
            self._by_id[platform.info.id] = platform

    def __getitem__(self, platform_id: str) -> CrawlPlatform:
        """Return the platform of this id. Raises UnknownPlatformError."""
        try:
            return self._by_id[platform_id]
        except KeyError:
            text = Text(f"没有这个平台: {platform_id}", f"No such platform: {platform_id}")
            raise UnknownPlatformError(text) from None

    def __contains__(self, platform_id: object) -> bool:
        return platform_id in self._by_id

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def trusted_origins(self) -> frozenset[str]:
        """The base URLs that settings name: the policy of gate and browsers trusts these origins."""
        return frozenset(url for platform in self.values() for url in platform.info.trusted_origins)


class ThroughBrowser:
    """A platform that reads through a browser: it can run only where there is one."""

    def __init__(self, platform: CrawlPlatform, browsers: Callable[[], Availability]) -> None:
        """`browsers` tells whether a tab could be opened here."""
        self._platform = platform
        self._browsers = browsers

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""
        return self._platform.info

    def availability(self) -> Availability:
        """Return why there is no browser, else the platform's own answer."""
        browsers = self._browsers()
        return self._platform.availability() if browsers.available else browsers

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the platform's title of a task."""
        return self._platform.title_of(params)

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Return the platform's execution of one attempt."""
        return self._platform.begin(context, tools)


def with_browsers(platforms: PlatformRegistry, browsers: Callable[[], Availability]) -> PlatformRegistry:
    """Return the same platforms, those that need a browser unavailable while `browsers` says that there is none."""
    return PlatformRegistry(
        [ThroughBrowser(one, browsers) if one.info.needs_browser else one for one in platforms.values()]
    )


def load_platforms(environ: Mapping[str, str], package: ModuleType = platforms_package) -> PlatformRegistry:
    """Make every platform of the package, each from its own variables of `environ`.

    Raises TypeError for a file without `create`, ValueError for two files with one id or a bad setting.
    """
    return PlatformRegistry(discover(package, environ))


def _check(info: PlatformInfo) -> None:
    if info.kind is not TaskKind.CRAWL:
        raise ValueError(f"{info.id!r} is no crawl platform: its kind is {info.kind}")
    if info.type(info.default_type) is None:
        raise ValueError(f"{info.id!r} has no type {info.default_type!r}, its default")
