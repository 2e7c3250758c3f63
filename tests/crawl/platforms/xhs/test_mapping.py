import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.crawl.platforms.xhs.links import Addresses, NoteLink
from backend.crawl.platforms.xhs.mapping import FoundComment, Mapper, hits_of
from backend.crawl.privacy import Privacy
from backend.crawl.source_record import Record, snake_cased
from backend.domain.item import Item, Media

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTE: dict[str, Any] = {
    "note_id": "66f0c0de0000000012345678",
    "type": "normal",
    "title": "露营装备清单",
    "desc": "第一次去露营 #露营[话题]# #帐篷[话题]#",
    "time": 1_700_000_000_000,
    "last_update_time": 1_700_000_500_000,
    "ip_location": "上海",
    "user": {"user_id": "5ff0e6410000000001008400", "nickname": "小红", "avatar": "https://a.example/PERSON.jpg"},
    "interact_info": {
        **{"liked_count": "2.7万", "collected_count": "1.2k", "comment_count": "319", "share_count": "10w+"},
        "liked": False,
    },
    "image_list": [
        {"url_default": "https://img.example/1.jpg", "url": "", "width": 1080, "height": 1440},
        {"info_list": [{"url": "http://img.example/2.jpg"}]},
        {"width": 3},
    ],
    "tag_list": [{"name": "露营", "type": "topic"}, {"name": "帐篷", "type": "topic"}, {"name": "露营"}],
    "at_user_list": [{"user_id": "PERSON", "nickname": "PERSON"}],
    "share_info": {"un_share": False},
}
COMMENT: dict[str, Any] = {
    "id": "66aa",
    "note_id": NOTE["note_id"],
    "content": "好看",
    "create_time": 1_700_000_100_000,
    "like_count": "赞",
    "sub_comment_count": "2",
    "sub_comment_has_more": True,
    "sub_comment_cursor": "66ab",
    "sub_comments": [
        {
            "id": "66ab",
            "content": "谢谢",
            "user_info": {"user_id": "u2", "nickname": "小明"},
            "target_comment": {"id": "66aa"},
        },
        {"content": "no id"},
    ],
    "user_info": {"user_id": "u1", "nickname": "小刚", "image": "https://a.example/PERSON.jpg"},
    "pictures": [{"url_default": "https://img.example/c.jpg"}],
    "ip_location": "北京",
}
CREATOR: dict[str, Any] = {
    "basic_info": {
        "nickname": "小红",
        "desc": "爱露营",
        "gender": 1,
        "ip_location": "上海",
        "red_id": "123",
        "images": "https://a/1",
    },
    "interactions": [
        {"type": "follows", "count": "12"},
        {"type": "fans", "count": "3.4万"},
        {"type": "interaction", "count": "10w+"},
    ],
    "tags": [{"name": "上海"}],
}


def camel(value: Any) -> Any:
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    first = {name: name.split("_") for name in value}
    return {words[0] + "".join(word.title() for word in words[1:]): camel(value[name]) for name, words in first.items()}


def mapper(*, is_full: bool = False) -> Mapper:
    return Mapper("t_1", privacy=Privacy(b"salt", is_full=is_full), addresses=Addresses())


def post(note: dict[str, Any], *, is_full: bool = False) -> Item:
    return mapper(is_full=is_full).post(Record(snake_cased(note)), "66f0", now=NOW, source="note", queries=("露营",))


def comment(value: dict[str, Any], **more: Any) -> FoundComment:
    found = mapper().comment(Record(snake_cased(value)), "66f0", now=NOW, source="comments", **more)
    assert found is not None
    return found


def test_note_is_read_from_both_spellings() -> None:
    assert post(NOTE) == post(camel(NOTE))


def test_note_has_its_words_times_and_counts() -> None:
    item = post(NOTE)

    assert (item.kind, item.item_id, item.title, item.text) == (
        *("post", "66f0"),
        "露营装备清单",
        "第一次去露营 #露营 #帐篷",
    )
    assert item.published_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    counts = item.metrics
    assert (counts.like, counts.save, counts.comment, counts.share, counts.view) == (27_000, 1_200, 319, 100_000, None)
    assert counts.raw == {"like": "2.7万", "save": "1.2k", "comment": "319", "share": "10w+"}
    assert (item.tags, item.queries) == (("露营", "帐篷"), ("露营",))


def test_images_are_media() -> None:
    assert post(NOTE).media == (
        Media("image", "https://img.example/1.jpg", 1080, 1440),
        Media("image", "http://img.example/2.jpg"),
    )


def test_video_is_media_in_the_most_common_codec() -> None:
    stream = {
        "h265": [{"master_url": "https://v.example/265.mp4"}],
        "h264": [
            {"master_url": "", "backup_urls": ["//v.example/264.mp4"], "width": 720, "height": 1280, "duration": 6500}
        ],
    }

    video = post({"type": "video", "video": {"media": {"stream": stream}}}).media

    assert video == (Media("video", "https://v.example/264.mp4", 720, 1280, 6.5),)


def test_nobody_is_named_by_default() -> None:
    item = post(NOTE)

    assert item.author is not None
    assert (item.author.name_masked, len(item.author.id_hash)) == ("小*", 32)
    shown = json.dumps([str(item), dict(item.extra)], ensure_ascii=False)
    assert not any(word in shown for word in ("小红", "5ff0e641", "PERSON", "上海"))


def test_full_profile_is_kept_when_asked_for() -> None:
    author = post(NOTE, is_full=True).extra["author"]

    assert author == {
        **{"id": "5ff0e6410000000001008400", "name": "小红", "place": "上海"},
        "avatar": "https://a.example/PERSON.jpg",
    }


def test_unknown_fields_are_kept() -> None:
    extra = post({**NOTE, "brand_new": {"a": [1]}}).extra

    assert extra == {
        **{"brand_new": {"a": [1]}, "share_info": {"un_share": False}, "interact_info": {"liked": False}},
        **{"type": "normal", "updated_at": "2023-11-14T22:21:40.000Z"},
    }


@pytest.mark.parametrize(
    "note", [{}, {"user": None, "interact_info": [], "image_list": "x", "time": "soon", "title": 5}]
)
def test_note_with_missing_or_odd_fields_is_still_an_item(note: dict[str, Any]) -> None:
    item = post(note)

    assert (item.title, item.text, item.author, item.published_at, item.media) == (None, None, None, None, ())
    assert item.metrics.like is None


def test_no_token_is_in_an_item() -> None:
    item = post({**NOTE, "xsec_token": "TOKEN", "user": {**NOTE["user"], "xsec_token": "TOKEN"}})

    assert "TOKEN" not in str(item)


def test_comment_hangs_on_its_note() -> None:
    item = comment(COMMENT).item

    assert (item.kind, item.item_id, item.parent_id, item.root_id, item.text) == (
        "comment",
        "66aa",
        "66f0",
        "66f0",
        "好看",
    )
    assert (item.metrics.like, item.metrics.comment, item.metrics.raw) == (0, 2, {"like": "赞", "comment": "2"})
    assert item.media == (Media("image", "https://img.example/c.jpg"),)


def test_comment_is_read_from_both_spellings() -> None:
    assert comment(COMMENT) == comment(camel(COMMENT))


def test_comment_keeps_what_nobody_reads() -> None:
    assert comment({**COMMENT, "brand_new": 1}).item.extra == {"brand_new": 1}


def test_replies_that_come_along_hang_on_what_they_answer() -> None:
    found = comment(COMMENT)

    assert [(one.item.item_id, one.item.parent_id, one.item.root_id) for one in found.replies] == [
        ("66ab", "66aa", "66f0")
    ]
    assert found.has_more_replies


def test_reply_without_a_target_hangs_on_its_thread() -> None:
    assert comment({"id": "1"}, root_id="66aa").item.parent_id == "66aa"


def test_comment_names_nobody() -> None:
    shown = str(comment(COMMENT))

    assert not any(word in shown for word in ("小刚", "小明", "PERSON", "北京", "'u1'"))


def test_creator_is_a_hash_with_counts() -> None:
    item = mapper().creator(Record(CREATOR), "5ff0", now=NOW, source="profile")

    assert (item.kind, item.title, item.text, item.metrics.like) == ("creator", "小*", None, 100_000)
    assert item.item_id == Privacy(b"salt").hashed("xhs", "5ff0")
    assert item.extra == {"fans": 34_000, "follows": 12}
    assert item.url.endswith("/user/profile/5ff0")


def test_creator_in_full_has_name_and_words() -> None:
    item = mapper(is_full=True).creator(Record(CREATOR), "5ff0", now=NOW, source="profile")

    assert (item.item_id, item.title, item.text, item.tags) == ("5ff0", "小红", "爱露营", ("上海",))
    assert item.extra["author"]["red_id"] == "123"


def test_hits_are_notes_with_their_tokens() -> None:
    values = [
        {"id": "1", "model_type": "note", "xsec_token": "T1", "note_card": {"display_title": "a"}},
        {"id": "rec", "model_type": "rec_query"},
        {"id": "hot", "model_type": "hot_query"},
        {"note_id": "2", "xsec_token": "T2", "display_title": "b"},
        [{"id": 9007199254740993, "note_card": {"xsec_token": "T3"}}],
        {"model_type": "note"},
        None,
    ]

    hits = list(hits_of(values))

    assert [hit.link for hit in hits] == [NoteLink("1", "T1"), NoteLink("2", "T2"), NoteLink("9007199254740993", "T3")]
    assert [hit.card.text("display_title") for hit in hits] == ["a", "b", None]


def test_card_is_an_item_too() -> None:
    card = {
        "type": "video",
        "display_title": "露营",
        "user": {"userId": "u", "nickName": "小红"},
        "interactInfo": {"likedCount": "12"},
        "cover": {"urlDefault": "https://img.example/c.webp", "width": 3, "height": 4},
    }

    item = post(card)

    assert (item.title, item.metrics.like, item.author is not None) == ("露营", 12, True)
    assert item.media == (Media("image", "https://img.example/c.webp", 3, 4),)
