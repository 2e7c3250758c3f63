"""From the site's objects to our items: notes, comments, creators.

Every object comes in two spellings, snake_case in the answers and camelCase in a page's state; it is read in the
former (source_record.snake_cased). Names as of 2026-11-21, not checked on the live site: an unknown field is kept in
`extra`, a missing one is None.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.crawl.platforms.xhs.links import Addresses, NoteLink
from backend.crawl.privacy import Privacy
from backend.crawl.source_record import Record
from backend.domain.item import Author, Item, Media, Metrics

PLATFORM = "xhs"
_MAX_TITLE_CHARS = 500
_MAX_TAGS = 100
_MAX_MEDIA = 100
_MAX_URL_CHARS = 2_048
_TOPIC_MARK = re.compile(r"\[话题\]#?")
_CODECS = ("h264", "h265", "av1", "h266")
_MS = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A note as a list shows it: enough to open it, and to keep something of it should that fail."""

    link: NoteLink
    card: Record


@dataclass(frozen=True, slots=True)
class FoundComment:
    """A comment, with the replies that came along and whether there are more of them."""

    item: Item
    replies: tuple["FoundComment", ...] = ()
    has_more_replies: bool = False


class Mapper:
    """Makes the items of one task. `now` is when it saw them."""

    def __init__(self, task_id: str, *, privacy: Privacy, addresses: Addresses) -> None:
        self._task_id = task_id
        self._privacy = privacy
        self._addresses = addresses

    def post(self, note: Record, note_id: str, *, now: datetime, source: str, queries: tuple[str, ...] = ()) -> Item:
        """Return a note, whole or as a list's card shows it."""
        note.raw("note_id", "id")
        title = note.text("title", "display_title", limit=_MAX_TITLE_CHARS)
        text = _without_marks(note.text("desc"))
        author, profile = self._author(note.inner("user"), note)
        metrics = _metrics(note.inner("interact_info"))
        media = tuple(_media_of(note))[:_MAX_MEDIA]
        tags = _names(note, "tag_list")
        published_at = note.moment("time")
        extra = self._extra(
            note,
            {"type": note.text("type", limit=40), "updated_at": _stamp(note.moment("last_update_time"))} | profile,
        )
        return Item(
            task_id=self._task_id,
            platform=PLATFORM,
            kind="post",
            item_id=note_id,
            url=self._addresses.shown_note(note_id),
            title=title,
            text=text,
            first_seen_at=now,
            content_hash=_hash(title, text, *(one.url for one in media)),
            source=source,
            author=author,
            published_at=published_at,
            metrics=metrics,
            media=media,
            tags=tags,
            queries=queries,
            extra=extra,
        )

    def comment(
        self, comment: Record, note_id: str, *, now: datetime, source: str, root_id: str | None = None
    ) -> FoundComment | None:
        """Return a comment on a note, or with `root_id` a reply below that comment; None when it has no id.

        `parent_id` is what it answers (the note, or a comment), `root_id` the note.
        """
        comment_id = comment.id("id", "comment_id")
        if comment_id is None:
            return None
        answered = comment.inner("target_comment").id("id")
        comment.raw("note_id")
        author, profile = self._author(comment.inner("user_info"), comment)
        text, published_at = comment.text("content"), comment.moment("create_time")
        like, like_shown = comment.count("like_count")
        replies, replies_shown = comment.count("sub_comment_count")
        media = tuple(_images(comment, "pictures"))
        inline = self._replies(comment, note_id, comment_id, now=now, source=source)
        has_more = bool(comment.flag("sub_comment_has_more"))
        comment.raw("sub_comment_cursor")
        item = Item(
            task_id=self._task_id,
            platform=PLATFORM,
            kind="comment",
            item_id=comment_id,
            parent_id=(answered or root_id or note_id),
            root_id=note_id,
            url=self._addresses.shown_note(note_id),
            title=None,
            text=text,
            first_seen_at=now,
            content_hash=_hash(text),
            source=source,
            author=author,
            published_at=published_at,
            metrics=Metrics(like=like, comment=replies, raw=_words(like=like_shown, comment=replies_shown)),
            media=media,
            extra=self._extra(comment, profile),
        )
        return FoundComment(item, inline, has_more)

    def creator(self, page: Record, creator_id: str, *, now: datetime, source: str) -> Item:
        """Return a creator from the data of their page.

        The address is kept although it holds the id: whoever made the task named this page.
        """
        basic = page.inner("basic_info")
        name = basic.text("nickname", limit=_MAX_TITLE_CHARS)
        is_full = self._privacy.is_full
        counts, words = _interactions(page)
        profile = self._profile(basic, creator_id, name)
        tags = _names(page, "tags")
        author = self._privacy.author(PLATFORM, creator_id, name)
        desc = basic.text("desc")
        title = name if is_full or author is None else author.name_masked
        fans, follows = counts.get("fans"), counts.get("follows")
        return Item(
            task_id=self._task_id,
            platform=PLATFORM,
            kind="creator",
            item_id=creator_id if is_full else self._privacy.hashed(PLATFORM, creator_id),
            url=self._addresses.shown_creator(creator_id),
            title=title,
            text=desc if is_full else None,
            first_seen_at=now,
            content_hash=_hash(title, desc if is_full else None, *words.values()),
            source=source,
            author=author,
            metrics=Metrics(like=counts.get("interaction"), raw=words),
            tags=tags if is_full else (),
            extra=self._extra(page, {"fans": fans, "follows": follows} | profile),
        )

    def author(self, creator_id: str) -> Author | None:
        """Return a creator of whom only the id is known, as an author."""
        return self._privacy.author(PLATFORM, creator_id, None)

    def _replies(
        self, comment: Record, note_id: str, root_id: str, *, now: datetime, source: str
    ) -> tuple[FoundComment, ...]:
        found = (
            self.comment(one, note_id, now=now, source=source, root_id=root_id) for one in comment.each("sub_comments")
        )
        return tuple(one for one in found if one is not None)

    def _author(self, user: Record, owner: Record) -> tuple[Author | None, dict[str, Any]]:
        person_id = user.id("user_id", "userid", "id")
        name = user.text("nickname", "nick_name", limit=_MAX_TITLE_CHARS)
        return self._privacy.author(PLATFORM, person_id, name), self._profile(user, person_id, name, owner)

    def _profile(
        self, user: Record, person_id: str | None, name: str | None, owner: Record | None = None
    ) -> dict[str, Any]:
        fields = {
            "id": person_id,
            "name": name,
            "avatar": _address(user.raw("avatar", "image", "images")),
            "place": (owner or user).text("ip_location", limit=100) or user.text("ip_location", limit=100),
            "gender": user.whole("gender"),
            "red_id": user.id("red_id"),
        }
        # By default read, so that none of it is left among the unknown fields, and dropped.
        known = {field: value for field, value in fields.items() if value is not None}
        return {"author": known} if self._privacy.is_full and known else {}

    def _extra(self, record: Record, known: Mapping[str, Any]) -> dict[str, Any]:
        kept = self._privacy.kept(record.rest())
        return kept | {name: value for name, value in known.items() if value is not None}


def hits_of(values: Any) -> Iterator[Hit]:
    """Yield the notes of a list of search hits or of a creator's page, suggestions left out.

    Lists inside the list are looked into: a creator's state has one for each tab.
    """
    for value in values if isinstance(values, list) else ():
        if isinstance(value, list):
            yield from hits_of(value)
            continue
        hit = Record(value)
        if hit.text("model_type") not in {None, "note"}:
            continue
        card = hit.inner("note_card") or hit
        note_id = hit.id("id", "note_id") or card.id("note_id", "id")
        token = hit.text("xsec_token", limit=500) or card.text("xsec_token", limit=500)
        if note_id is not None:
            yield Hit(NoteLink(note_id, token), card)


def _metrics(info: Record) -> Metrics:
    counts = {
        "like": info.count("liked_count", "like_count"),
        "save": info.count("collected_count"),
        "comment": info.count("comment_count"),
        "share": info.count("share_count", "shared_count"),
        "view": info.count("view_count"),
    }
    raw = _words(**{name: shown for name, (_, shown) in counts.items()})
    return Metrics(**{name: number for name, (number, _) in counts.items()}, raw=raw)


def _words(**shown: str | None) -> dict[str, str]:
    return {name: words for name, words in shown.items() if words is not None}


def _interactions(page: Record) -> tuple[dict[str, int | None], dict[str, str]]:
    counts: dict[str, int | None] = {}
    words: dict[str, str] = {}
    for one in page.each("interactions"):
        kind = one.text("type", limit=40)
        number, shown = one.count("count")
        if kind is not None and shown is not None:
            counts[kind] = number
            words["like" if kind == "interaction" else kind] = shown
    return counts, words


def _media_of(note: Record) -> Iterator[Media]:
    images = list(_images(note, "image_list"))
    covers = list(_image(note.inner("cover")))
    yield from images or covers
    yield from _video(note.inner("video"))


def _images(owner: Record, name: str) -> Iterator[Media]:
    for one in owner.each(name):
        yield from _image(one)


def _image(image: Record) -> Iterator[Media]:
    width, height = image.whole("width"), image.whole("height")
    listed = (one.raw("url") for one in image.each("info_list"))
    choices = (image.raw("url_default"), image.raw("url"), image.raw("url_pre"), *listed)
    image.raw("file_id", "trace_id")
    url = next((address for choice in choices if (address := _address(choice)) is not None), None)
    if url is not None:
        yield Media("image", url, width or None, height or None)


def _video(video: Record) -> Iterator[Media]:
    stream = video.inner("media").inner("stream")
    video.raw("consumer", "image", "capa")
    for codec in _CODECS:
        for one in stream.each(codec):
            backups = one.raw("backup_urls")
            choices = (one.raw("master_url"), *(backups if isinstance(backups, list) else ()))
            url = next((address for choice in choices if (address := _address(choice)) is not None), None)
            if url is not None:
                duration = one.number("duration")
                yield Media("video", url, one.whole("width"), one.whole("height"), duration / _MS if duration else None)
                return


def _names(owner: Record, field: str) -> tuple[str, ...]:
    names = (one.text("name", limit=100) for one in owner.each(field))
    return tuple({name: None for name in names if name})[:_MAX_TAGS]


def _address(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    url = f"https:{value}" if value.startswith("//") else value
    is_good = url.startswith(("https://", "http://")) and len(url) <= _MAX_URL_CHARS and url.isprintable()
    return url if is_good else None


def _without_marks(text: str | None) -> str | None:
    return None if text is None else _TOPIC_MARK.sub("", text).strip() or None


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hash(*parts: str | None) -> str:
    text = "\0".join(part or "" for part in parts)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
