import pytest

from backend.domain.challenge import MAX_PICTURE_BYTES, Challenge, ChallengeKind, picture_type

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def shown(url: str) -> str | None:
    return Challenge(ChallengeKind.LOGIN, page_url=url).page_url


@pytest.mark.parametrize(("picture", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (b"<svg/>", None)])
def test_picture_is_known_by_its_first_bytes(picture: bytes, media_type: str | None) -> None:
    assert picture_type(picture) == media_type


def test_png_and_jpeg_are_kept_as_they_are() -> None:
    challenge = Challenge(ChallengeKind.QR, screenshot=JPEG, qr=PNG)

    assert (challenge.screenshot, challenge.qr, challenge.left_out) == (JPEG, PNG, ())


@pytest.mark.parametrize("bad", [b"", b"GIF89a", b"<svg onload=alert(1)>", PNG + bytes(MAX_PICTURE_BYTES)])
def test_picture_that_is_no_picture_or_too_large_is_left_out_and_named(bad: bytes) -> None:
    challenge = Challenge(ChallengeKind.QR, screenshot=bad, qr=PNG)

    assert (challenge.screenshot, challenge.qr, challenge.left_out) == (None, PNG, ("screenshot",))


def test_picture_of_exactly_the_limit_is_kept() -> None:
    assert Challenge(ChallengeKind.QR, qr=PNG.ljust(MAX_PICTURE_BYTES, b"\0")).left_out == ()


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://www.example.org/login", "https://www.example.org/login"),
        ("https://me:pw@www.example.org:8443/a", "https://www.example.org:8443/a"),
        ("https://www.example.org/s?keyword=%E9%9C%B2%E8%90%A5&page=2", None),
        ("https://www.example.org/a?xsec_token=AB12&source=web", "https://www.example.org/a?source=web"),
        ("https://www.example.org/a?accessToken=x&sign=y&a1=1", "https://www.example.org/a?a1=1"),
        ("https://www.example.org/a?v=" + "x" * 65, "https://www.example.org/a"),
        (
            "https://www.example.org/login?back=https%3A%2F%2Fwww.example.org%2Fb%3Fxsec_token%3DAB",
            "https://www.example.org/login?back=https%3A%2F%2Fwww.example.org%2Fb",
        ),
        ("https://www.example.org/login?back=a%253Fxsec_token%253DAB", "https://www.example.org/login"),
        ("https://www.example.org/a#access_token=AB", "https://www.example.org/a"),
        ("https://www.example.org/a#/login", "https://www.example.org/a#/login"),
        ("http://[::1]:9/a", "http://[::1]:9/a"),
    ],
)
def test_url_is_shown_without_what_lets_anybody_in(url: str, seen: str | None) -> None:
    assert shown(url) == (seen or url)


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x", "http://[", "http://x:y/"]
)
def test_what_is_no_web_address_is_not_shown(url: str) -> None:
    assert shown(url) is None


def test_url_that_is_too_long_loses_its_query_first() -> None:
    long = "&".join(f"a{n}=xxxxxxxxxxxxxxxxxxxx" for n in range(100))

    assert shown(f"https://www.example.org/a?{long}") == "https://www.example.org/a"
    assert shown(f"https://www.example.org/{'a' * 2_000}") is None
