"""Xiaohongshu (小红书), read through the user's own browser: the page makes its requests, we read what it gets.

No request to the site is built here, none is signed, and no captcha is solved: at a login page or a captcha the task
waits for a person. Facts as of 2026-11-21; not checked on the live site (未在真实站点验证).
"""

import random
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from backend.core.vendor_settings import read_vendor_settings
from backend.crawl.browsing import Site, Visit
from backend.crawl.feed import Patience
from backend.crawl.pacer import Pacer
from backend.crawl.platform import CrawlTools
from backend.crawl.platforms.xhs.links import SITE, Addresses
from backend.crawl.platforms.xhs.lists import LISTEN
from backend.crawl.platforms.xhs.mapping import Mapper
from backend.crawl.platforms.xhs.params import CreatorParams, DetailParams, SearchParams
from backend.crawl.platforms.xhs.plan import Plan, plan_of
from backend.crawl.platforms.xhs.reader import XhsReader
from backend.crawl.platforms.xhs.walls import QR_CODES, WALLS, status_of_page, wall_of_url
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.privacy import Privacy
from backend.crawl.saved_media import MediaFetcher, MediaLimits, MediaSaver
from backend.crawl.unit import UnitManners
from backend.crawl.units import UnitCrawl
from backend.domain.account import FIRST_PROFILE
from backend.domain.errors import NeedsPersonError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, Example, PlatformInfo, PlatformType
from backend.domain.task import TaskKind
from backend.domain.text import Text

_MAX_TITLE_KEYWORDS = 3
_STATE = "__INITIAL_STATE__"
_HOSTS = ("xiaohongshu.com", "rednote.com")
_MEDIA_HOSTS = ("xhscdn.com", "xhscdn.net", "rednotecdn.com", *_HOSTS)
_NOTE_URL = "https://www.xiaohongshu.com/explore/64f0c0de000000001e03b0a1?xsec_token=TOKEN&xsec_source=pc_search"
_CREATOR_URL = "https://www.xiaohongshu.com/user/profile/5ff0e6410000000001008400?xsec_token=TOKEN&xsec_source=pc_note"
_NO_BROWSER = Text("没有可用的浏览器", "There is no browser")
_INSTALL = Text("按 README 准备浏览器后点“继续”", "Set a browser up as the README says, then resume")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("is not an http(s) address")
    return f"{parts.scheme}://{parts.netloc.lower()}"


class XhsSettings(BaseModel):
    """XHS_BASE_URL, XHS_MIN_INTERVAL_S."""

    base_url: Annotated[str, AfterValidator(_origin)] = Field(
        default=SITE, description="The site's origin: www.rednote.com abroad"
    )
    min_interval_s: float = Field(
        default=2.0, ge=0.0, le=3_600, description="Seconds between two steps on the site, all tasks together"
    )


def _info(settings: XhsSettings) -> PlatformInfo:
    return PlatformInfo(
        id="xhs",
        kind=TaskKind.CRAWL,
        title=Text("小红书", "Xiaohongshu"),
        icon="xhs",
        default_type="search",
        types=(
            PlatformType(
                id="search",
                title=Text("关键词搜索", "Search"),
                model=SearchParams,
                examples=(Example(Text("露营笔记", "Camping notes"), {"keywords": ["露营"], "limit": 20}),),
            ),
            PlatformType(
                id="detail",
                title=Text("笔记详情", "Notes"),
                model=DetailParams,
                examples=(Example(Text("一篇笔记", "One note"), {"urls": [_NOTE_URL]}),),
            ),
            PlatformType(
                id="creator",
                title=Text("作者主页", "Creators"),
                model=CreatorParams,
                examples=(Example(Text("一位作者", "One creator"), {"urls": [_CREATOR_URL]}),),
            ),
        ),
        capabilities=("comments", "replies", "media"),
        max_running=2,
        min_interval_s=settings.min_interval_s,
        needs_auth=True,
        needs_browser=True,
        trusted_origins=() if settings.base_url == SITE else (settings.base_url,),
    )


class XhsPlatform:
    """Reads notes, their comments and their creators, one page after the other."""

    def __init__(
        self,
        settings: XhsSettings,
        *,
        chance: random.Random,
        patience: Patience | None = None,
        manners: UnitManners | None = None,
    ) -> None:
        self._info = _info(settings)
        self._addresses = Addresses(settings.base_url)
        self._own_origin = None if settings.base_url == SITE else settings.base_url
        self._chance = chance
        self._patience = patience or Patience()
        self._manners = manners or UnitManners()
        self._pacer = Pacer(settings.min_interval_s, chance=chance)
        self._site = Site(
            platform="xhs",
            hosts=(*_HOSTS, urlsplit(settings.base_url).hostname or ""),
            listen=LISTEN,
            state_name=_STATE,
            walls=WALLS,
            qr_codes=QR_CODES,
            login_url=f"{settings.base_url}/login",
            wall_of_url=wall_of_url,
            read_status=status_of_page,
        )

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""
        return self._info

    def availability(self) -> Availability:
        """Return that nothing but a browser is needed; whether there is one, the registry knows."""
        return Availability(available=True)

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the first keywords, or the count of links."""
        keywords = params.get("keywords")
        if not keywords:
            return f"小红书 {len(params['urls'])} 个链接"
        return "、".join(keywords[:_MAX_TITLE_KEYWORDS])

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Return the execution of one attempt. Raises NeedsPersonError where there are no browsers."""
        if tools.browsers is None or tools.author_salt is None:
            raise NeedsPersonError("NO_BROWSER", _NO_BROWSER, action=_INSTALL)
        task = context.task
        plan = plan_of(task.type, task.params, self._addresses, created_at=task.created_at)
        visit = Visit(
            *(context, context.reach(tools.browsers), self._site),
            account=str(task.params.get("account", FIRST_PROFILE)),
            pacer=self._pacer,
            clock=tools.clock,
        )
        reader = XhsReader(
            plan,
            visit,
            salt=context.reach(tools.author_salt),
            make_work=lambda privacy: self._work(context, tools, plan, visit, privacy),
        )
        return UnitCrawl(context, tools, reader, manners=self._manners, chance=self._chance)

    def _work(self, context: TaskContext, tools: CrawlTools, plan: Plan, visit: Visit, privacy: Privacy) -> Work:
        media = None
        if tools.artifacts is not None and plan.depth.media != "none":
            fetcher = MediaFetcher(tools.gate, hosts=_MEDIA_HOSTS, own_origin=self._own_origin, limits=MediaLimits())
            media = MediaSaver(context, fetcher, tools.artifacts)
        return Work(
            context=context,
            plan=plan,
            visit=visit,
            mapper=Mapper(context.task.task_id, privacy=privacy, addresses=self._addresses),
            addresses=self._addresses,
            patience=self._patience,
            clock=tools.clock,
            items=context.reach(tools.items),
            media=media,
        )


def create(environ: Mapping[str, str]) -> XhsPlatform:
    """Make the platform from XHS_BASE_URL and XHS_MIN_INTERVAL_S. Raises SettingsError."""
    settings = read_vendor_settings(XhsSettings, "XHS_", environ)
    return XhsPlatform(settings, chance=random.Random())  # noqa: S311 - a person's irregular pace
