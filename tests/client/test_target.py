import pytest

from backend.client import find_target


def test_arguments_go_before_the_environment() -> None:
    environ = {"MEDIACRAWER_URL": "http://other:1", "AUTH_TOKEN": "other-token"}

    target = find_target("https://mine.test/sub/", "my-token", environ=environ)

    assert (target.url, target.token) == ("https://mine.test/sub", "my-token")


def test_environment_goes_before_the_default() -> None:
    target = find_target(environ={"MEDIACRAWER_URL": "http://other:1/", "AUTH_TOKEN": "other-token"})

    assert (target.url, target.token) == ("http://other:1", "other-token")


def test_token_of_a_person_goes_before_auth_token() -> None:
    environ = {"MEDIACRAWER_TOKEN": " mcp_person ", "AUTH_TOKEN": "token-of-all"}

    assert find_target(environ=environ).token == "mcp_person"


def test_nothing_named_is_this_machine() -> None:
    target = find_target(environ={})

    assert (target.url, target.token) == ("http://127.0.0.1:8888", None)


def test_token_is_not_shown() -> None:
    assert "my-token" not in repr(find_target(token="my-token", environ={}))


@pytest.mark.parametrize("url", ["ftp://a.test", "a.test:8888", "http://", "http://a.test/?x=1"])
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        find_target(url, environ={})
