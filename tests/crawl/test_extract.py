import contextlib
import time
from datetime import UTC, datetime

import pytest

from backend.crawl.extract import Extracted, StoppedError, extract
from backend.crawl.markup import TooComplexError, bounded
from backend.crawl.scope import Scope

URL = "https://example.org/dir/page"
LONG = "这是正文里的一句话，讲怎么露营。" * 30


def extracted(html: str, *, scope: Scope | None = None) -> Extracted:
    return extract(html.encode(), content_type="text/html; charset=utf-8", url=URL, scope=scope)


def links(html: str) -> list[str]:
    return [link.url for link in extracted(html, scope=Scope("any", ())).links]


def test_main_text_leaves_out_what_surrounds_it() -> None:
    html = f"<nav>菜单</nav><article><h1>题</h1><p>{LONG}</p></article><footer>版权</footer><script>x()</script>"

    assert extracted(html).text == f"题\n{LONG}"


def test_page_without_an_article_gives_its_whole_body() -> None:
    assert extracted("<div>一</div><div>二<b>三</b></div>").text == "一\n二三"


def test_line_breaks_of_the_source_are_spaces() -> None:
    assert extracted("<p>one\n  two</p><p>three<br>four</p>").text == "one two\nthree\nfour"


def test_page_that_is_all_boilerplate_by_its_names_is_kept_whole() -> None:
    assert extracted(f"<form><div>{LONG}</div></form>").text == LONG


def test_links_are_resolved_in_scope_and_each_once() -> None:
    html = '<a href="a">1</a><a href="./a">2</a><a href="/b#x">3</a><a href="#y">4</a><area href="//example.org/c">'

    assert links(html) == [f"https://example.org/{path}" for path in ("dir/a", "b", "c")]


def test_base_of_the_page_is_respected() -> None:
    assert links('<base href="https://other.example/x/"><a href="a">1</a>') == ["https://other.example/x/a"]


def test_links_outside_the_scope_are_left_out() -> None:
    found = extracted('<a href="https://other.example/">x</a><a href="/in">y</a>', scope=Scope("host", [URL]))

    assert [link.url for link in found.links] == ["https://example.org/in"]


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        ('<meta property="article:published_time" content="2026-11-20T08:30:00+08:00">', (2026, 11, 20, 0, 30)),
        (
            '<script type="application/ld+json">{"@type":"Article","datePublished":"2026-11-20"}</script>',
            (2026, 11, 20),
        ),
        (
            '<script type="application/ld+json">{"@graph":[{"headline":"x","datePublished":"2026-11-20T00:30:00Z"}]}'
            "</script>",
            (2026, 11, 20, 0, 30),
        ),
        ('<time itemprop="datePublished" datetime="2026-11-20T00:30:00Z">', (2026, 11, 20, 0, 30)),
    ],
)
def test_date_is_read_where_it_is_stated(head: str, moment: tuple[int, int, int]) -> None:
    assert extracted(f"<html><head>{head}</head>").published_at == datetime(*moment, tzinfo=UTC)


@pytest.mark.parametrize(
    "stated", ["yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-40"]
)
def test_date_that_is_none_is_left_out(stated: str) -> None:
    assert extracted(f'<meta name="pubdate" content="{stated}">').published_at is None


@pytest.mark.parametrize(
    "script",
    ["{", "[" * 5_000, '{"headline": "\\ud800"}', '{"datePublished": 5}', "null", '{"@graph": {"@graph": 1}}', ""],
)
def test_json_ld_that_cannot_be_read_is_passed_over(script: str) -> None:
    found = extracted(f'<title>t</title><script type="application/ld+json">{script}</script>')

    assert found.title == "t"


@pytest.mark.parametrize(
    ("html", "lang"), [("你好世界，露营", "zh"), ("ひらがなです", "ja"), ("한국어입니다", "ko"), ("hi", None)]
)
def test_language_is_taken_from_the_text_when_the_page_does_not_say(html: str, lang: str | None) -> None:
    assert extracted(html).lang == lang


def test_content_hash_is_of_the_text_alone() -> None:
    first, second = extracted("<title>a</title>x"), extracted("<title>b</title>x")

    assert first.content_hash == second.content_hash
    assert first.content_hash.startswith("sha256:")


@pytest.mark.parametrize("html", ["", "<", "<!", "<html", "\0", "<frameset><frame src=a>", "<svg><style><p>x", "﷐"])
def test_odd_page_is_read_as_far_as_it_goes(html: str) -> None:
    assert extracted(f"{html}<a href=/x>", scope=Scope("any", ())).content_hash


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200_000,
        "<a><b><i>" * 50_000 + "</a>" * 50_000,
        f"<a {' '.join(f'a{n}=1' for n in range(40_000))}>",
        "<select>" + "<option>x" * 100_000,
        "<p>x</p>" * 200_000,
        "<div></x>" * 60_000,
        "<path/>" * 60_000 + "<div>" * 20_000,
    ],
)
def test_page_that_would_hold_a_thread_for_long_is_refused_soon(html: str) -> None:
    start = time.perf_counter()

    with pytest.raises(TooComplexError):
        extracted(html)

    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "html",
    [
        "<script>" + "'<div>' + " * 60_000 + "</script><p>x</p>",
        "<!--" + "<div>" * 60_000 + "--><p>x</p>",
        "<ul>" + "<li>x" * 60_000 + "</ul>",
        "<table>" + "<tr><td>x" * 30_000 + "</table>",
        "<div><span>x</span></div>" * 15_000,
    ],
)
def test_long_page_that_only_looks_deep_is_read(html: str) -> None:
    assert "x" in extracted(html).text


@pytest.mark.parametrize(
    "html", ["<" * 500_000, "<a" * 200_000, '<a "' * 100_000, "<!--" * 100_000, "<script>" * 80_000]
)
def test_looking_for_depth_takes_linear_time(html: str) -> None:
    start = time.perf_counter()

    with contextlib.suppress(TooComplexError):
        bounded(html)

    assert time.perf_counter() - start < 5


def test_reading_of_a_page_of_many_links_stops_within_a_few_of_them_when_told() -> None:
    url = "https://example.org/"
    body = "".join(f'<a href="/{number}">x</a>' for number in range(1_000)).encode()
    asked = 0

    def is_stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    with pytest.raises(StoppedError):
        extract(body, content_type="text/html", url=url, scope=Scope("host", [url]), is_stopped=is_stopped)

    assert asked == 11
