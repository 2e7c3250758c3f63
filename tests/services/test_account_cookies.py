import json
from typing import Any

import pytest

from backend.domain.errors import ValidationFailedError
from backend.services.account_cookies import MAX_COOKIES, read_cookies
from tests.fixtures.logins import COOKIE_LINE, SECRET, plain_flow

GIVEN = {"name": "web_session", "value": SECRET, "domain": ".X.example", "path": "/", "httpOnly": True, "secure": True}


def refusal(given: str) -> str:
    with pytest.raises(ValidationFailedError) as caught:
        read_cookies(given, plain_flow())
    problem = caught.value.problems[0]
    assert problem.path == "cookies"
    assert SECRET not in str(caught.value.problems)
    return problem.code


@pytest.mark.parametrize("line", [COOKIE_LINE, f"Cookie: {COOKIE_LINE}", f"  {COOKIE_LINE};  "])
def test_a_headers_line_is_for_the_platforms_host(line: str) -> None:
    cookies = read_cookies(line, plain_flow())

    assert [(one.name, one.domain) for one in cookies][1] == ("web_session", ".x.example")
    assert cookies[1].value == SECRET
    assert cookies[1].is_secure


@pytest.mark.parametrize(
    "given",
    [
        [GIVEN],
        {"cookies": [GIVEN], "origins": []},
        [{**GIVEN, "expirationDate": 1_900_000_000.5}, {"name": "o", "value": "1", "domain": "other.example"}],
    ],
)
def test_a_list_and_a_storage_state_are_read_and_other_hosts_left_out(given: Any) -> None:
    cookies = read_cookies(json.dumps(given), plain_flow())

    assert [(one.name, one.value, one.domain, one.is_http_only) for one in cookies] == [
        ("web_session", SECRET, ".x.example", True)
    ]


def test_an_end_is_kept_and_minus_one_is_none() -> None:
    ending, lasting = (
        read_cookies(json.dumps([{**GIVEN, "expires": ends}]), plain_flow())[0] for ends in (1_900_000_000, -1)
    )

    assert ending.expires_at is not None
    assert ending.expires_at.timestamp() == 1_900_000_000
    assert lasting.expires_at is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("", "NO_COOKIES"),
        ("[]", "NO_COOKIES"),
        (SECRET, "BAD_FORMAT"),
        (f"web_session={SECRET}\x01", "BAD_FORMAT"),
        (f"web session={SECRET}", "BAD_FORMAT"),
        (f'[{{"name": "web_session", "value": "{SECRET}"', "BAD_FORMAT"),
        ('{"cookies": 1}', "BAD_FORMAT"),
        ("[1]", "BAD_FORMAT"),
        (json.dumps([{**GIVEN, "value": 5}]), "BAD_FORMAT"),
        (json.dumps([{**GIVEN, "domain": "-"}]), "BAD_FORMAT"),
        (json.dumps([{**GIVEN, "path": "x"}]), "BAD_FORMAT"),
        (json.dumps([{**GIVEN, "domain": "notx.example"}]), "WRONG_HOST"),
        ("a1=1", "NO_SESSION"),
        ("; ".join(f"a{n}=1" for n in range(MAX_COOKIES + 1)), "TOO_MANY"),
        ("[" * 100_000, "BAD_FORMAT"),
    ],
)
def test_what_is_no_session_of_the_platform_is_refused_and_not_quoted(given: str, code: str) -> None:
    assert refusal(given) == code
