"""The columns of an export: their words in a query, their headings, and what of an item stands in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.domain.item import Item
from backend.domain.text import Text

ColumnKind = Literal["text", "number", "date", "link"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `value` gives text, a list of texts, an integer, an aware time, a mapping, or None.

    `separator` joins a list in one cell; `width` is in characters. `is_for_programs`: a person looks at it only when
    they ask for it, so Excel hides it.
    """

    name: str
    heading: Text
    value: Callable[[Item], Any]
    kind: ColumnKind = "text"
    width: int = 12
    separator: str = "、"
    is_for_programs: bool = False


def _author_name(item: Item) -> str | None:
    return None if item.author is None else item.author.name_masked


def _author_id(item: Item) -> str | None:
    return None if item.author is None else item.author.id_hash


# The order is the order in the file.
COLUMNS: Sequence[Column] = (
    Column("title", Text("标题", "Title"), lambda item: item.title, width=32),
    Column("text", Text("正文", "Text"), lambda item: item.text, width=56),
    Column("author", Text("作者", "Author"), _author_name, width=14),
    Column("likes", Text("点赞", "Likes"), lambda item: item.metrics.like, "number", 10),
    Column("saves", Text("收藏", "Saves"), lambda item: item.metrics.save, "number", 10),
    Column("comments", Text("评论", "Comments"), lambda item: item.metrics.comment, "number", 10),
    Column("shares", Text("分享", "Shares"), lambda item: item.metrics.share, "number", 10),
    Column("published", Text("发布时间", "Published"), lambda item: item.published_at, "date", 20),
    Column("keyword", Text("关键词", "Keyword"), lambda item: item.queries, width=14),
    Column("link", Text("链接", "Link"), lambda item: item.url, "link", 40),
    Column("views", Text("浏览", "Views"), lambda item: item.metrics.view, "number", 10),
    Column("tags", Text("标签", "Tags"), lambda item: item.tags, width=20),
    Column("media", Text("媒体", "Media"), lambda item: tuple(one.url for one in item.media), width=30, separator="\n"),
    Column("platform", Text("平台", "Platform"), lambda item: item.platform, width=10),
    Column("kind", Text("类别", "Kind"), lambda item: item.kind, width=10, is_for_programs=True),
    Column("item_id", Text("编号", "ID"), lambda item: item.item_id, width=28),
    Column("parent_id", Text("上级编号", "Parent ID"), lambda item: item.parent_id, width=28, is_for_programs=True),
    Column("root_id", Text("所属编号", "Root ID"), lambda item: item.root_id, width=28, is_for_programs=True),
    Column("author_id", Text("作者编号", "Author ID"), _author_id, width=20, is_for_programs=True),
    Column("lang", Text("语言", "Language"), lambda item: item.lang, width=8, is_for_programs=True),
    Column("first_seen_at", Text("采集时间", "Collected"), lambda item: item.first_seen_at, "date", 20),
    Column("source", Text("数据来源", "Source"), lambda item: item.source, width=16, is_for_programs=True),
    Column("extra", Text("其他", "Other"), lambda item: item.extra or None, width=20),
    Column("task_id", Text("任务编号", "Task ID"), lambda item: item.task_id, width=24, is_for_programs=True),
    Column("id", Text("记录编号", "Record ID"), lambda item: item.id, width=34, is_for_programs=True),
    Column(
        "content_hash", Text("内容校验", "Content hash"), lambda item: item.content_hash, width=20, is_for_programs=True
    ),
)
BY_NAME: Mapping[str, Column] = {column.name: column for column in COLUMNS}


def chosen(names: Sequence[str]) -> Sequence[Column]:
    """Return the columns with these names, in their order, each once; all of them when none is named."""
    return tuple(BY_NAME[name] for name in dict.fromkeys(names)) or COLUMNS


def heading_of(column: Column, language: Literal["zh", "en"], zone: str) -> str:
    """Return the heading; a time names its zone."""
    said = column.heading.en if language == "en" else column.heading.zh
    return f"{said} ({zone})" if column.kind == "date" else said
