import pytest

from backend.core.http import NetworkPolicy
from backend.crawl.browser.rules import NavigationRules

HOSTS = ("example.org",)
PUBLIC = NavigationRules(NetworkPolicy())


@pytest.mark.parametrize("url", ["https://example.org/", "https://www.example.org:444/a?b", "about:blank"])
def test_platforms_own_hosts_are_opened(url: str) -> None:
    assert PUBLIC.refusal(url, HOSTS) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "SCHEME_REFUSED"),
        ("file:///etc/passwd", "SCHEME_REFUSED"),
        ("chrome://settings", "SCHEME_REFUSED"),
        ("javascript:alert(1)", "SCHEME_REFUSED"),
        ("data:text/html,x", "SCHEME_REFUSED"),
        ("about:config", "SCHEME_REFUSED"),
        ("https://", "SCHEME_REFUSED"),
        ("", "SCHEME_REFUSED"),
        ("https://example.org\\@evil.org/", "SCHEME_REFUSED"),
        ("https://[bad", "SCHEME_REFUSED"),
        ("https://127.0.0.1/", "PRIVATE_ADDRESS"),
        ("https://2130706433/", "PRIVATE_ADDRESS"),
        ("https://localhost/", "PRIVATE_ADDRESS"),
        ("https://[::ffff:10.0.0.1]/", "PRIVATE_ADDRESS"),
        ("https://example.org.evil.org/", "BLOCKED"),
        ("https://notexample.org/", "BLOCKED"),
        ("https://org/", "BLOCKED"),
        ("https://example.org@evil.org/", "BLOCKED"),
    ],
)
def test_everything_else_is_refused_by_name(url: str, reason: str) -> None:
    assert PUBLIC.refusal(url, HOSTS) == reason


def test_origin_that_settings_name_is_opened_whatever_it_is() -> None:
    rules = NavigationRules(NetworkPolicy(trusted_origins=frozenset({"http://10.0.0.1:8000"})))

    assert rules.refusal("http://10.0.0.1:8000/a", ()) is None
    assert rules.refusal("http://10.0.0.1:8001/a", ("10.0.0.1",)) == "PRIVATE_ADDRESS"


def test_opened_network_is_opened_for_the_platforms_hosts_only() -> None:
    rules = NavigationRules(NetworkPolicy(allow_private=("10.0.0.0/8",)))

    assert rules.refusal("http://10.0.0.1/", ("10.0.0.1",)) is None
    assert rules.refusal("http://10.0.0.2/", ("10.0.0.1",)) == "BLOCKED"


def test_denied_port_of_a_trusted_origin_is_refused() -> None:
    denied = frozenset({("*", 8888)})
    rules = NavigationRules(NetworkPolicy(trusted_origins=frozenset({"http://127.0.0.1:8888"}), denied=denied))

    assert rules.refusal("http://127.0.0.1:8888/", ()) == "PRIVATE_ADDRESS"


def test_resolver_closes_what_is_private_and_leaves_open_what_the_operator_opened() -> None:
    policy = NetworkPolicy(allow_private=("192.168.1.0/24",), trusted_origins=frozenset({"http://desk:8000"}))

    closed = NavigationRules(NetworkPolicy()).resolver_flags()[0]
    opened = NavigationRules(policy).resolver_flags()[0]

    assert "MAP 192.168.* ~NOTFOUND" in closed
    assert "MAP localhost ~NOTFOUND" in closed
    assert "192.168" not in opened
    assert opened.endswith("EXCLUDE desk")
