"""What a crawl finds: one record for every platform, and the rows of its frontier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote it: the id salted and hashed, the name masked, unless the task asked for the full profile."""

    id_hash: str
    name_masked: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """Public counts; None where the source gives none. `raw` keeps the source's own words (2.7万)."""

    like: int | None = None
    comment: int | None = None
    share: int | None = None
    save: int | None = None
    view: int | None = None
    raw: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, video or sound that belongs to an item; `type`: image | video | audio."""

    type: str
    url: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    artifact_id: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One found thing, unique by (task_id, platform, kind, item_id).

    `kind`: page | post | comment | creator | media.
    """

    task_id: str
    platform: str
    kind: str
    item_id: str
    url: str
    title: str | None
    text: str | None
    first_seen_at: datetime
    content_hash: str
    source: str
    id: str = ""
    parent_id: str | None = None
    root_id: str | None = None
    lang: str | None = None
    author: Author | None = None
    published_at: datetime | None = None
    metrics: Metrics = field(default_factory=Metrics)
    media: tuple[Media, ...] = ()
    tags: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One row of a frontier, as a person sees it.

    `state`: queued | in_flight | done | failed. `outcome`: None | ok | empty | blocked | failed | skipped | aborted.
    """

    url: str
    state: str
    depth: int
    final_url: str | None = None
    outcome: str | None = None
    reason: str | None = None
    http_status: int | None = None
    attempts: int = 0
    size_bytes: int | None = None
    error: str | None = None
    fetched_at: datetime | None = None
    item_id: str | None = None
