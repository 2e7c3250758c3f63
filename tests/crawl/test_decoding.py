import pytest

from backend.crawl.decoding import decode

SIMPLIFIED = "露营是一种很好的休闲活动，带上帐篷和睡袋就可以出发。" * 8
TRADITIONAL = "露營是一種很好的休閒活動，帶上帳篷和睡袋就可以出發。" * 8


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "gb2312", "utf-8"])
def test_header_names_the_encoding(encoding: str) -> None:
    text, _ = decode(SIMPLIFIED.encode(encoding), f"text/html; charset={encoding}")

    assert text == SIMPLIFIED


@pytest.mark.parametrize(
    "declared", ['<meta charset="gbk">', '<meta http-equiv=x content="text/html; charset=gb2312">']
)
def test_meta_names_the_encoding(declared: str) -> None:
    text, _ = decode((declared + SIMPLIFIED).encode("gbk"), "text/html")

    assert text == declared + SIMPLIFIED


def test_character_beyond_gb2312_comes_out_right_on_a_page_that_says_gb2312() -> None:
    text, encoding = decode("镕喆".encode("gbk") + b"<p>", "text/html; charset=gb2312")

    assert (text, encoding) == ("镕喆<p>", "gb18030")


@pytest.mark.parametrize(("words", "encoding"), [(SIMPLIFIED, "gb18030"), (TRADITIONAL, "big5")])
def test_undeclared_encoding_is_detected(words: str, encoding: str) -> None:
    text, _ = decode(f"<html><body>{words}</body></html>".encode(encoding), None)

    assert text == f"<html><body>{words}</body></html>"


def test_default_of_the_server_does_not_beat_what_the_page_says() -> None:
    text, _ = decode(f"<meta charset=gbk>{SIMPLIFIED}".encode("gbk"), "text/html; charset=iso-8859-1")

    assert SIMPLIFIED in text


def test_wrong_header_does_not_spoil_the_page() -> None:
    text, _ = decode(f"<meta charset=gbk>{SIMPLIFIED}".encode("gbk"), "text/html; charset=utf-8")

    assert SIMPLIFIED in text


def test_one_broken_byte_does_not_change_the_encoding() -> None:
    text, encoding = decode(SIMPLIFIED.encode("gbk") + b"\xff" + b"<p>", "text/html; charset=gbk")

    assert encoding == "gb18030"
    assert text.startswith(SIMPLIFIED)


@pytest.mark.parametrize("name", ["zip", "rot13", "idna", "undefined", "x" * 5_000, "utf-7", "\x00", "mbcs", "base64"])
def test_name_that_is_no_encoding_of_pages_is_passed_over(name: str) -> None:
    text, _ = decode("你好".encode(), f"text/html; charset={name}")

    assert text == "你好"


def test_any_bytes_become_some_text() -> None:
    text, _ = decode(bytes(range(256)) * 4, None)

    assert text
