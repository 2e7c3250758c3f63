from datetime import UTC, datetime
from typing import Any

import pytest

from backend.crawl.source_record import Record, read_json, snake_cased


def test_both_spellings_are_read_alike() -> None:
    state = {"noteId": "1", "interactInfo": {"likedCount": "2"}, "video": {"media": {"stream": {"h264": []}}}}

    assert snake_cased(state) == {
        "note_id": "1",
        "interact_info": {"liked_count": "2"},
        "video": {"media": {"stream": {"h264": []}}},
    }


def test_reactive_wrappers_are_taken_off() -> None:
    assert snake_cased({"notes": {"__v_isRef": True, "_rawValue": [[{"id": "1"}]]}}) == {"notes": [[{"id": "1"}]]}


def test_what_lies_too_deep_is_cut_off() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]

    assert snake_cased(deep)


@pytest.mark.parametrize("body", [b"", b"nothing", b'{"a":', b"[" * 100_000, b'{"a":"' + b"x" * 8_000_000 + b'"}'])
def test_body_that_is_no_json_is_none(body: bytes) -> None:
    assert read_json(body) is None


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("66f0", "66f0"),
        (9007199254740993123, "9007199254740993123"),
        (12.0, "12"),
        (" 7 ", "7"),
        ("", None),
        (True, None),
        ([], None),
        ({}, None),
        (None, None),
    ],
)
def test_id_is_a_string(value: Any, meant: str | None) -> None:
    assert Record({"id": value}).id("id") == meant


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (0, None),
        (-1, None),
        (10**30, None),
        ("soon", None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_time_is_aware_utc_from_seconds_or_milliseconds(value: Any, meant: datetime | None) -> None:
    assert Record({"time": value}).moment("time") == meant


def test_half_a_character_is_no_text() -> None:
    assert Record({"a": "x\ud83dy"}).text("a") == "x\ufffdy"


def test_rest_is_what_nobody_read_inner_objects_included() -> None:
    record = Record({"a": 1, "b": 2, "user": {"id": "u", "new": 3}, "none": None})
    record.whole("a")
    record.inner("user").id("id")

    assert record.rest() == {"b": 2, "user": {"new": 3}}


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_anything_but_an_object_is_an_empty_record(value: Any) -> None:
    record = Record(value)

    assert (bool(record), record.text("a"), list(record.each("b")), record.inner("c").id("d")) == (
        False,
        None,
        [],
        None,
    )
