"""The shapes of what a crawl found (items) and of what it looked at (pages)."""

from typing import Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from backend.api.shapes import PageQuery
from backend.api.wire import stamp, stamp_or_none
from backend.domain.item import Author, Item, Media, Metrics, Page


class ItemsQuery(PageQuery):
    """A page of the items of a task."""

    raw: bool = Field(False, description="Give the counts in the source's own words too (metrics.raw)")


class PagesQuery(PageQuery):
    """A page of the URLs of a task."""

    state: Literal["queued", "in_flight", "done", "failed"] | None = None
    outcome: Literal["ok", "empty", "blocked", "failed", "skipped", "aborted"] | None = None


class AuthorOut(TypedDict):
    """Who wrote it."""

    id_hash: str
    name_masked: str


class MetricsOut(TypedDict):
    """Public counts, null where the source gives none."""

    like: int | None
    comment: int | None
    share: int | None
    save: int | None
    view: int | None
    raw: NotRequired[dict[str, str]]


class MediaOut(TypedDict):
    """A picture, video or sound of an item."""

    type: Literal["image", "video", "audio"]
    url: str
    width: int | None
    height: int | None
    duration_s: float | None
    artifact_id: str | None


class ItemOut(TypedDict):
    """One found thing; `queries` are the keywords that found it."""

    id: str
    task_id: str
    platform: str
    kind: Literal["page", "post", "comment", "creator", "media"]
    item_id: str
    parent_id: str | None
    root_id: str | None
    url: str
    title: str | None
    text: str | None
    lang: str | None
    author: AuthorOut | None
    published_at: str | None
    metrics: MetricsOut
    media: list[MediaOut]
    tags: list[str]
    queries: list[str]
    first_seen_at: str
    content_hash: str
    source: str
    extra: dict[str, Any]


class ItemList(TypedDict):
    """A page of items, in the order they were first seen."""

    items: list[ItemOut]
    next_cursor: str | None


class PageOut(TypedDict):
    """One URL of a crawl."""

    url: str
    final_url: str | None
    state: Literal["queued", "in_flight", "done", "failed"]
    outcome: Literal["ok", "empty", "blocked", "failed", "skipped", "aborted"] | None
    reason: str | None
    http_status: int | None
    depth: int
    attempts: int
    size_bytes: int | None
    error: str | None
    fetched_at: str | None
    item_id: str | None


class PageList(TypedDict):
    """A page of URLs, in the order they were found."""

    items: list[PageOut]
    next_cursor: str | None


def item_out(item: Item, *, with_raw: bool) -> Any:
    """Return an item as it is shown."""
    return {
        "id": item.id,
        "task_id": item.task_id,
        "platform": item.platform,
        "kind": item.kind,
        "item_id": item.item_id,
        "parent_id": item.parent_id,
        "root_id": item.root_id,
        "url": item.url,
        "title": item.title,
        "text": item.text,
        "lang": item.lang,
        "author": _author(item.author),
        "published_at": stamp_or_none(item.published_at),
        "metrics": _metrics(item.metrics, with_raw=with_raw),
        "media": [_media(one) for one in item.media],
        "tags": list(item.tags),
        "queries": list(item.queries),
        "first_seen_at": stamp(item.first_seen_at),
        "content_hash": item.content_hash,
        "source": item.source,
        "extra": dict(item.extra),
    }


def page_out(page: Page) -> Any:
    """Return a URL of a crawl as it is shown."""
    return {
        "url": page.url,
        "final_url": page.final_url,
        "state": page.state,
        "outcome": page.outcome,
        "reason": page.reason,
        "http_status": page.http_status,
        "depth": page.depth,
        "attempts": page.attempts,
        "size_bytes": page.size_bytes,
        "error": page.error,
        "fetched_at": stamp_or_none(page.fetched_at),
        "item_id": page.item_id,
    }


def _author(author: Author | None) -> AuthorOut | None:
    return None if author is None else {"id_hash": author.id_hash, "name_masked": author.name_masked}


def _metrics(metrics: Metrics, *, with_raw: bool) -> Any:
    counts = {name: getattr(metrics, name) for name in ("like", "comment", "share", "save", "view")}
    return {**counts, "raw": dict(metrics.raw)} if with_raw else counts


def _media(media: Media) -> Any:
    return {
        "type": media.type,
        "url": media.url,
        "width": media.width,
        "height": media.height,
        "duration_s": media.duration_s,
        "artifact_id": media.artifact_id,
    }
