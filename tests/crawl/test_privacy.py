import json

import bson
import pytest

from backend.crawl.privacy import Privacy, masked

MASKED = Privacy(b"salt")
FULL = Privacy(b"salt", is_full=True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("张三", "张*"), ("欧阳娜娜", "欧***"), ("Margaret", "M***"), ("李", "*"), ("", "*"), ("  王五 ", "王*")],
)
def test_name_is_masked(name: str, shown: str) -> None:
    assert masked(name) == shown


def test_hash_depends_on_the_salt_and_on_the_platform() -> None:
    hashes = {MASKED.hashed("xhs", "1"), Privacy(b"other").hashed("xhs", "1"), MASKED.hashed("weibo", "1")}

    assert len(hashes) == 3
    assert MASKED.hashed("xhs", "1") in hashes


def test_author_without_an_id_is_none() -> None:
    assert MASKED.author("xhs", None, "张三") is None


def test_unread_fields_are_kept_without_people_and_keys() -> None:
    unread = {
        "model_type": "note",
        "xsec_token": "SECRET",
        "user": {"id": "PERSON"},
        "at_user_list": [{"nickname": "PERSON"}],
        "ip_location": "PERSON",
        "share_info": {"un_share": False, "user_name": "PERSON", "link": "https://x/?xsec_token=SECRET&a=1"},
    }

    kept = MASKED.kept(unread)

    assert kept == {"model_type": "note", "share_info": {"un_share": False, "link": "https://x/?xsec_token=&a=1"}}


def test_full_profile_keeps_people_but_no_keys() -> None:
    kept = FULL.kept({"ip_location": "上海", "xsec_token": "SECRET"})

    assert kept == {"ip_location": "上海"}


def test_unread_fields_are_bounded() -> None:
    wide = {f"field_{n}": "x" * 5_000 for n in range(100)}
    deep: object = 1
    for _ in range(50):
        deep = {"a": [deep]}

    kept = MASKED.kept({"deep": deep, "long": list(range(10_000)), **wide})

    assert len(json.dumps(kept)) < 17_000
    assert len(kept["long"]) == 60


def test_unread_fields_can_be_stored() -> None:
    kept = MASKED.kept({"$a.b\0": 2**70, "nan": float("nan"), "half": "\ud83d", "id": 9007199254740993})

    assert (
        bson.decode(bson.encode(kept))
        == kept
        == {"_a_b_": str(2**70), "nan": None, "half": "\ufffd", "id": "9007199254740993"}
    )
