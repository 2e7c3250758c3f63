import pytest

from backend.crawl.urls import MAX_URL_CHARS, canonical_of, fingerprint_of, host_of, target_of


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org:443/a#b", "https://example.org/a"),
        ("http://example.org:8080/a", "http://example.org:8080/a"),
        (" https://example.org/a\n", "https://example.org/a"),
        ("https://user:secret@example.org/a", "https://example.org/a"),
        ("https://例子.中国/路", "https://xn--fsqu00a.xn--fiqs8s/%E8%B7%AF"),
        ("https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://example.org?q=1", "https://example.org/?q=1"),
        ("https://example.org/a b", "https://example.org/a%20b"),
    ],
)
def test_url_is_made_plain(url: str, plain: str) -> None:
    target = target_of(url)

    assert target is not None
    assert target.url == plain


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://example.org/", "javascript:alert(1)", "//example.org/", "http://", "http:///a", "/a"),
        *("http://[::1", "http://example.org:99999/", "http://example.org:a/", "http://exa mple.org:x/"),
        f"http://example.org/{'a' * MAX_URL_CHARS}",
    ],
)
def test_url_that_cannot_be_fetched_is_no_target(url: str) -> None:
    assert target_of(url) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.org", "http://EXAMPLE.org:80/"),
        ("http://example.org/?a=1&b=2", "http://example.org/?b=2&a=1"),
        ("http://example.org/%7Ea", "http://example.org/~a"),
        ("http://example.org/a#x", "http://example.org/a"),
    ],
)
def test_spellings_of_one_page_have_one_fingerprint(one: str, other: str) -> None:
    first, second = target_of(one), target_of(other)

    assert first is not None
    assert second is not None
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize("other", ["http://example.org/A", "https://example.org/a", "http://example.org/a/"])
def test_other_page_has_another_fingerprint(other: str) -> None:
    assert fingerprint_of(other) != fingerprint_of("http://example.org/a")


def test_query_is_sent_in_the_encoding_of_the_page() -> None:
    target = target_of("http://example.org/?q=露营", "gbk")

    assert target is not None
    assert target.url == "http://example.org/?q=%C2%B6%D3%AA"


def test_origin_keeps_scheme_host_and_odd_port() -> None:
    target = target_of("https://example.org:8443/a/b?c")

    assert target is not None
    assert target.origin == "https://example.org:8443"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.example.org/", "example.org"),
        ("http://example.org:80/", "example.org"),
        ("http://example.org:81/", "example.org:81"),
        ("http://[broken", ""),
    ],
)
def test_host_is_what_a_person_means(url: str, host: str) -> None:
    assert host_of(url) == host


def test_canonical_form_of_a_canonical_form_is_itself() -> None:
    once = canonical_of("http://example.org/a?z=1&a=%e4%b8%ad#x")

    assert canonical_of(once) == once
