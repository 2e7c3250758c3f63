import json
from typing import Any

import pytest

from backend.crawl.platforms.xhs.walls import read_answer, wall_of_url
from backend.crawl.refusal import Refusal
from backend.crawl.source_record import Record
from backend.domain.challenge import ChallengeKind


def body(**envelope: Any) -> bytes:
    return json.dumps(envelope).encode()


GOOD = body(success=True, code=0, msg="成功", data={"items": [], "hasMore": False})


def refused(status: int, answer: bytes, **more: Any) -> Refusal:
    found = read_answer(status, answer, **more)
    assert isinstance(found, Refusal)
    return found


def test_good_answer_gives_its_data_in_one_spelling() -> None:
    data = read_answer(200, GOOD)

    assert isinstance(data, Record)
    assert data.flag("has_more") is False


@pytest.mark.parametrize("status", [461, 471])
def test_captcha_status_needs_a_person(status: int) -> None:
    assert refused(status, b"").needs is ChallengeKind.CAPTCHA


def test_headers_that_ask_to_verify_need_a_person() -> None:
    assert refused(200, GOOD, asks_to_verify=True).needs is ChallengeKind.CAPTCHA


@pytest.mark.parametrize(
    ("status", "answer"), [(401, b""), (200, body(success=False, code=-100)), (200, body(code=-101))]
)
def test_login_asked_for_needs_a_person(status: int, answer: bytes) -> None:
    found = refused(status, answer)

    assert (found.error, found.needs) == ("NEEDS_LOGIN", ChallengeKind.LOGIN)


@pytest.mark.parametrize("code", [300_011, 300_012])
@pytest.mark.parametrize("status", [200, 403])
def test_restriction_stops_everything(code: int, status: int) -> None:
    found = refused(status, body(success=False, code=code))

    assert (found.error, found.outcome, found.is_whole, found.may_pass) == ("BLOCKED", "blocked", True, False)
    assert str(code) in found.message.zh


@pytest.mark.parametrize(
    ("status", "answer"),
    [(406, b""), (403, b"{}"), (200, body(code=-1, success=False)), (200, body(code=-1)), (200, body(success=False))],
)
def test_refusal_is_blocked(status: int, answer: bytes) -> None:
    assert (refused(status, answer).error, refused(status, answer).outcome) == ("BLOCKED", "blocked")


def test_refusal_quotes_the_words_of_the_site() -> None:
    assert "操作频繁" in refused(200, body(code=-1, success=False, msg="操作频繁")).message.zh


@pytest.mark.parametrize(("code", "error"), [(-510_000, "HTTP_STATUS"), (-510_001, "CONTENT_BLOCKED")])
def test_missing_note_is_no_refusal_of_others(code: int, error: str) -> None:
    found = refused(200, body(success=False, code=code))

    assert (found.error, found.outcome, found.is_whole) == (error, "failed", False)


def test_answer_to_wait_for_may_pass_after_its_time() -> None:
    found = refused(429, b"", retry_after_s=7.0)

    assert (found.error, found.may_pass, found.retry_after_s) == ("THROTTLED", True, 7.0)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_failing_server_may_pass(status: int) -> None:
    assert (refused(status, b"").outcome, refused(status, b"").may_pass) == ("failed", True)


@pytest.mark.parametrize(
    "answer", [b"", b"  \n", b"<html>login</html>", b"null", body(success=True, code=0), body(code=0, data={})]
)
def test_empty_answer_is_blocked_and_never_no_results(answer: bytes) -> None:
    assert refused(200, answer).error == "BLOCKED"


def test_cut_answer_cannot_be_read() -> None:
    assert refused(200, b'{"success": true, "data": {').error == "PARSE_FAILED"


@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("/login?redirectPath=%2Fexplore", ChallengeKind.LOGIN),
        ("/website-login/captcha?verifyType=124", ChallengeKind.CAPTCHA),
        ("/explore", None),
        ("/user/profile/login", None),
    ],
)
def test_wall_is_known_by_its_address(path: str, needs: ChallengeKind | None) -> None:
    found = wall_of_url(f"https://www.xiaohongshu.com{path}")

    assert (found.needs if found else None) is needs


@pytest.mark.parametrize(
    ("query", "error"),
    [("", "HTTP_STATUS"), ("?error_code=-510001", "CONTENT_BLOCKED"), ("?error_code=300012", "BLOCKED")],
)
def test_page_of_a_missing_note_is_known_by_its_address(query: str, error: str) -> None:
    found = wall_of_url(f"https://www.xiaohongshu.com/404{query}")

    assert found is not None
    assert found.error == error


def test_every_refusal_is_said_in_both_languages_with_advice() -> None:
    from backend.crawl.platforms.xhs import walls

    refusals = [value for value in vars(walls).values() if isinstance(value, Refusal)]
    assert all(one.message.zh and one.message.en and one.advice for one in refusals)
