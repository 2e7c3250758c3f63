"""What a task for Xiaohongshu can be asked for.

Source of the words for sort, note type and age: the choices of the site's own search page, checked 2026-11-21.
"""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from backend.crawl.forms import Params, UrlText, ui
from backend.crawl.platforms.xhs.links import creator_link, note_link
from backend.domain.account import FIRST_PROFILE
from backend.domain.text import Text

Keyword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]

AGES = {"day": timedelta(days=1), "week": timedelta(days=7), "half_year": timedelta(days=182)}


def _note_url(url: str) -> str:
    link = note_link(url)
    if link is None:
        raise _bad_url("不是小红书的笔记链接", "Not a link to a note of Xiaohongshu")
    if link.token is None:
        raise _bad_url("链接缺少 xsec_token，请从浏览器地址栏完整复制", "The link has no xsec_token: copy it whole")
    return url


def _creator_url(url: str) -> str:
    if creator_link(url) is None:
        raise _bad_url("不是小红书的作者主页链接", "Not a link to a creator's page of Xiaohongshu")
    return url


def _bad_url(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("BAD_URL", "{en}", {"zh": zh, "en": en})


class _Depth(Params):
    """How much of each note is read; shared by every type."""

    comments: bool = Field(
        default=False,
        json_schema_extra=ui(Text("采集评论", "Comments"), order=10),
    )
    comments_limit: int = Field(
        default=50,
        ge=1,
        le=2_000,
        description="Comments at most for each note, replies counted too.",
        json_schema_extra=ui(
            Text("每篇的评论数量", "Comments per note"),
            order=11,
            help_text=Text("每篇笔记最多采集多少条评论，含回复", "For each note, replies included"),
        ),
    )
    replies: bool = Field(
        default=False,
        json_schema_extra=ui(
            Text("展开回复", "Replies"),
            order=12,
            help_text=Text("逐条展开评论下的回复，较慢", "Opens the replies below each comment; slower"),
        ),
    )
    media: Literal["none", "images", "all"] = Field(
        default="none",
        json_schema_extra=ui(
            Text("下载媒体", "Download media"),
            order=13,
            choices={
                "none": Text("不下载", "None"),
                "images": Text("图片", "Images"),
                "all": Text("图片和视频", "Images and video"),
            },
        ),
    )
    profile: Literal["masked", "full"] = Field(
        default="masked",
        json_schema_extra=ui(
            Text("作者信息", "About people"),
            order=20,
            is_advanced=True,
            help_text=Text(
                "默认只保存加盐哈希和打码的昵称；完整信息请确认有权处理",
                "By default a salted hash and a masked name; keep more only if you may",
            ),
            choices={"masked": Text("打码", "Masked"), "full": Text("完整", "Full")},
        ),
    )
    account: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        default=FIRST_PROFILE,
        json_schema_extra=ui(
            Text("账号", "Account"),
            order=21,
            is_advanced=True,
            help_text=Text("用哪个已登录的账号读取，写它的名称", "Whose login the pages are read with, by its name"),
        ),
    )


def _details(*, order: int) -> Any:
    return Field(
        default=True,
        json_schema_extra=ui(
            Text("打开每篇笔记", "Open each note"),
            order=order,
            help_text=Text(
                "正文、发布时间和全部数据在笔记页里；关闭则只保存列表里的标题、作者和点赞",
                "Text, date and all counts are on the note's page; without it only what the list shows is kept",
            ),
        ),
    )


class SearchParams(_Depth):
    """Notes found by keywords."""

    URL_FIELDS: ClassVar[tuple[str, ...]] = ()

    keywords: list[Keyword] = Field(
        min_length=1,
        max_length=20,
        json_schema_extra=ui(Text("关键词", "Keywords"), order=1, placeholder=Text("露营", "camping")),
    )
    limit: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="Notes at most for each keyword.",
        json_schema_extra=ui(
            Text("每个关键词的数量", "Limit per keyword"),
            order=2,
            help_text=Text("每个关键词最多采集多少篇，不是总数", "Per keyword, not in total"),
        ),
    )
    sort: Literal["general", "popularity_descending", "time_descending"] = Field(
        default="general",
        json_schema_extra=ui(
            Text("排序", "Sort"),
            order=3,
            choices={
                "general": Text("综合", "General"),
                "popularity_descending": Text("最热", "Most popular"),
                "time_descending": Text("最新", "Newest"),
            },
        ),
    )
    note_type: Literal["all", "video", "image"] = Field(
        default="all",
        json_schema_extra=ui(
            Text("笔记类型", "Note type"),
            order=4,
            choices={"all": Text("不限", "All"), "video": Text("视频", "Video"), "image": Text("图文", "Images")},
        ),
    )
    published_within: Literal["any", "day", "week", "half_year"] = Field(
        default="any",
        json_schema_extra=ui(
            Text("发布时间", "Published within"),
            order=5,
            help_text=Text("会打开每篇笔记查看发布时间", "Opens each note to see its date"),
            choices={
                "any": Text("不限", "Any time"),
                "day": Text("一天内", "A day"),
                "week": Text("一周内", "A week"),
                "half_year": Text("半年内", "Half a year"),
            },
        ),
    )
    details: bool = _details(order=6)


class DetailParams(_Depth):
    """Notes by their links; a link needs its own xsec_token."""

    URL_FIELDS: ClassVar[tuple[str, ...]] = ("urls",)

    urls: list[Annotated[UrlText, AfterValidator(_note_url)]] = Field(
        min_length=1,
        max_length=100,
        json_schema_extra=ui(
            Text("笔记链接", "Note links"),
            order=1,
            help_text=Text("每行一个，链接要带 xsec_token", "One a line; links must carry their xsec_token"),
        ),
    )


class CreatorParams(_Depth):
    """The notes of creators, by the links of their pages."""

    URL_FIELDS: ClassVar[tuple[str, ...]] = ("urls",)

    urls: list[Annotated[UrlText, AfterValidator(_creator_url)]] = Field(
        min_length=1,
        max_length=100,
        json_schema_extra=ui(Text("作者主页链接", "Creator links"), order=1, help_text=Text("每行一个", "One a line")),
    )
    limit: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="Notes at most for each creator.",
        json_schema_extra=ui(Text("每位作者的数量", "Limit per creator"), order=2),
    )
    details: bool = _details(order=3)
