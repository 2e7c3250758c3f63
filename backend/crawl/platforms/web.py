"""Any public website: all pages of a site from its start URLs, or single pages by their URLs."""

import random
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from backend.crawl.fetch import PAGE_TYPES
from backend.crawl.forms import MAX_URLS, Params, UrlText, ui
from backend.crawl.platform import CrawlTools
from backend.crawl.scope import Scope
from backend.crawl.site import SiteCrawl, SitePlan
from backend.crawl.urls import Target, target_of, unfetchable
from backend.crawl.visit import Manners
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, Example, PlatformInfo, PlatformType
from backend.domain.task import TaskKind
from backend.domain.text import Text

Glob = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

_EXTRACT: Any = Field(
    default="text",
    json_schema_extra=ui(
        Text("提取", "Extract"),
        order=20,
        is_advanced=True,
        choices={"text": Text("标题、正文、元数据", "Title, text, metadata")},
    ),
)
_OBEY_ROBOTS = Field(
    default=True,
    json_schema_extra=ui(Text("遵守 robots.txt", "Obey robots.txt"), order=21, is_advanced=True),
)
_CONCURRENCY = Field(
    default=8,
    ge=1,
    le=64,
    json_schema_extra=ui(Text("每个主机的并发", "Concurrency per host"), order=22, unit="requests", is_advanced=True),
)
_DELAY = Field(
    default=0.0,
    ge=0,
    le=60,
    json_schema_extra=ui(
        Text("同一主机的请求间隔", "Delay between requests to one host"), order=23, unit="s", is_advanced=True
    ),
)


def _globs(title: Text, example: str, *, order: int) -> Any:
    return Field(
        default_factory=list,
        max_length=200,
        json_schema_extra=ui(
            title,
            order=order,
            placeholder=Text(example, example),
            help_text=Text("对整个网址匹配，* 代表任意字符", "Matched against the whole URL; * is any text"),
            is_advanced=True,
        ),
    )


class SiteParams(Params):
    """A site from its start URLs."""

    URL_FIELDS: ClassVar[tuple[str, ...]] = ("start_urls",)

    start_urls: list[UrlText] = Field(
        min_length=1,
        max_length=MAX_URLS,
        json_schema_extra=ui(
            Text("起始网址", "Start URLs"),
            order=1,
            placeholder=Text("https://docs.example.org/", "https://docs.example.org/"),
            help_text=Text("每行一个", "One a line"),
        ),
    )
    scope: Literal["host", "site"] = Field(
        default="host",
        json_schema_extra=ui(
            Text("范围", "Scope"),
            order=2,
            choices={"host": Text("同一主机", "Same host"), "site": Text("同一站点（含子域名）", "Same site")},
        ),
    )
    max_pages: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        json_schema_extra=ui(Text("页数上限", "Page limit"), order=3, unit="pages"),
    )
    max_depth: int = Field(
        default=5,
        ge=0,
        le=1_000,
        json_schema_extra=ui(
            Text("深度上限", "Depth limit"),
            order=4,
            help_text=Text("0 只抓起始网址", "0 fetches the start URLs only"),
        ),
    )
    include: list[Glob] = _globs(Text("只抓这些网址", "Include"), "*/docs/*", order=10)
    exclude: list[Glob] = _globs(Text("不抓这些网址", "Exclude"), "*/login*", order=11)
    extract: Literal["text"] = _EXTRACT
    obey_robots: bool = _OBEY_ROBOTS
    concurrency: int = _CONCURRENCY
    delay_s: float = _DELAY


class PageParams(Params):
    """Single pages by their URLs."""

    URL_FIELDS: ClassVar[tuple[str, ...]] = ("urls",)

    urls: list[UrlText] = Field(
        min_length=1,
        max_length=MAX_URLS,
        json_schema_extra=ui(
            Text("网址", "URLs"),
            order=1,
            placeholder=Text("https://example.org/article", "https://example.org/article"),
            help_text=Text("每行一个", "One a line"),
        ),
    )
    extract: Literal["text"] = _EXTRACT
    obey_robots: bool = _OBEY_ROBOTS
    concurrency: int = _CONCURRENCY
    delay_s: float = _DELAY


_INFO = PlatformInfo(
    id="web",
    kind=TaskKind.CRAWL,
    title=Text("网页", "Web"),
    icon="globe",
    default_type="site",
    types=(
        PlatformType(
            id="site",
            title=Text("整站", "Site"),
            model=SiteParams,
            examples=(
                Example(Text("文档站", "Docs"), {"start_urls": ["https://docs.python.org/3/"]}),
                Example(
                    Text("只抓一个栏目", "One section"),
                    {
                        "start_urls": ["https://docs.python.org/zh-cn/3/tutorial/"],
                        "include": ["*/tutorial/*"],
                        "max_pages": 50,
                    },
                ),
            ),
        ),
        PlatformType(
            id="page",
            title=Text("单页", "Pages"),
            model=PageParams,
            examples=(Example(Text("一页", "One page"), {"urls": ["https://example.org/"]}),),
        ),
    ),
)


class WebPlatform:
    """Crawls pages over plain HTTP, with the user agent of the gate."""

    def __init__(self, *, manners: Manners, chance: random.Random) -> None:
        self._manners = manners
        self._chance = chance

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""
        return _INFO

    def availability(self) -> Availability:
        """Return that it can always run."""
        return Availability(available=True)

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the host of the first URL."""
        first = str((params.get("start_urls") or params.get("urls") or [""])[0])
        try:
            return urlsplit(first).netloc.rpartition("@")[2] or first
        except ValueError:
            return first

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Return the execution of one attempt."""
        plan = plan_of(context.task.type, context.task.params)
        return SiteCrawl(context, tools, plan, manners=self._manners, chance=self._chance)


def plan_of(type_id: str, raw: Mapping[str, Any]) -> SitePlan:
    """Return what the parameters ask for. Raises pydantic.ValidationError."""
    if type_id == "page":
        pages = PageParams.model_validate(raw)
        starts = _targets(pages.urls)
        return SitePlan(
            platform=_INFO.id,
            starts=starts,
            scope=Scope("any", ()),
            max_pages=len(starts),
            max_depth=0,
            obey_robots=pages.obey_robots,
            concurrency=pages.concurrency,
            delay_s=pages.delay_s,
            kinds=PAGE_TYPES,
        )
    site = SiteParams.model_validate(raw)
    starts = _targets(site.start_urls)
    return SitePlan(
        platform=_INFO.id,
        starts=starts,
        scope=Scope(site.scope, [start.url for start in starts], include=site.include, exclude=site.exclude),
        max_pages=site.max_pages,
        max_depth=site.max_depth,
        obey_robots=site.obey_robots,
        concurrency=site.concurrency,
        delay_s=site.delay_s,
    )


def create(environ: Mapping[str, str]) -> WebPlatform:
    """Make the platform; it has no settings."""
    del environ
    return WebPlatform(manners=Manners(), chance=random.Random())  # noqa: S311 - jitter


def _targets(urls: list[str]) -> tuple[Target, ...]:
    # A URL that cannot be fetched becomes a row too: its page says why.
    found = [target_of(url) or unfetchable(url) for url in urls]
    return tuple({target.fingerprint: target for target in found}.values())
