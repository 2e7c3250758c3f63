"""Xiaohongshu (小红书): listed with its parameters, so that tasks can be made; this version cannot read it yet.

Source of the words for sort and note type: the parameters of the site's own search page, checked 2026-11-21.
"""

from collections.abc import Mapping
from typing import Any

from backend.crawl.platform import CrawlTools
from backend.crawl.platforms.xhs.params import CreatorParams, DetailParams, SearchParams
from backend.domain.errors import NeedsPersonError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, Example, PlatformInfo, PlatformType
from backend.domain.task import TaskKind
from backend.domain.text import Text

_MAX_TITLE_KEYWORDS = 3
_NOTE_URL = "https://www.xiaohongshu.com/explore/64f0c0de000000001e03b0a1?xsec_token=TOKEN&xsec_source=pc_search"
_CREATOR_URL = "https://www.xiaohongshu.com/user/profile/5ff0e6410000000001008400?xsec_token=TOKEN&xsec_source=pc_note"

_INFO = PlatformInfo(
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
    capabilities=("comments",),
    needs_auth=True,
)
_MESSAGE = Text("这个版本还不能采集小红书", "This version cannot read Xiaohongshu yet")
_ADVICE = Text(
    "任务会保留在“等待处理”；升级到支持小红书的版本后点“继续”",
    "The task is kept waiting; resume it after an upgrade that can read Xiaohongshu",
)


class XhsPlatform:
    """Accepts tasks and keeps them; every run of one ends in `waiting`."""

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""
        return _INFO

    def availability(self) -> Availability:
        """Return that reading it is not built."""
        return Availability(available=False, reason="NOT_BUILT", message=_MESSAGE, advice=_ADVICE)

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the first keywords, or the count of links."""
        keywords = params.get("keywords")
        if not keywords:
            return f"小红书 {len(params['urls'])} 个链接"
        return "、".join(keywords[:_MAX_TITLE_KEYWORDS])

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Raise NeedsPersonError: there is nothing to run yet."""
        del context, tools
        raise NeedsPersonError("NOT_BUILT", _MESSAGE, action=_ADVICE)


def create(environ: Mapping[str, str]) -> XhsPlatform:
    """Make the platform; it has no settings."""
    del environ
    return XhsPlatform()
