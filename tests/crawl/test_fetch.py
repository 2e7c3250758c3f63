from datetime import UTC, datetime

import pytest

from backend.crawl.fetch import Answer, judge, retry_after_s

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("Sun, 22 Nov 2026 08:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("", None),
        (None, None),
        ("Sun, 22 Nov 99999 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("answer", "outcome", "may_pass"),
    [
        (Answer("u", status=200, body=b"x"), None, False),
        (Answer("u", status=200, body=b" "), "empty", False),
        (Answer("u", status=204), "empty", False),
        (Answer("u", status=200, body=None), "skipped", False),
        (Answer("u", status=200, body=b"\x7fELF\0\0"), "skipped", False),
        (Answer("u", status=301), "failed", False),
        (Answer("u", status=404), "failed", False),
        (Answer("u", status=403), "blocked", False),
        (Answer("u", status=503, is_challenge=True), "blocked", False),
        (Answer("u", status=429), "blocked", True),
        (Answer("u", status=408), "failed", True),
        (Answer("u", status=500), "failed", True),
        (Answer("u", error="DEADLINE"), "failed", True),
        (Answer("u", error="NO_ANSWER"), "failed", True),
        (Answer("u", error="PRIVATE_ADDRESS"), "failed", False),
        (Answer("u", error="CONNECT_FAILED"), "failed", False),
    ],
)
def test_answer_is_judged(answer: Answer, outcome: str | None, may_pass: bool) -> None:
    verdict = judge(answer)

    assert (verdict.outcome, verdict.may_pass) == (outcome, may_pass)
