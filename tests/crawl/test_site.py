"""What a crawl of a website finds, and how its books stand."""

import asyncio

import pytest

from backend.crawl.fetch import FetchLimits
from backend.domain.task import TaskStatus
from tests.fixtures.crawls import Crawl
from tests.fixtures.site import Site, SitePage, page, redirect

LINKED = {"/": ["/a", "/b"], "/a": ["/b", "/c"], "/b": ["/"], "/c": ["/d"], "/d": []}
PLAIN = "text/plain"


async def test_every_linked_page_is_stored_once(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    ended = await crawl.run()

    assert await crawl.paths() == ["/", "/a", "/b", "/c", "/d"]
    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.SUCCEEDED
    assert all(count == 1 for count in crawl.site.hits.values())


async def test_books_balance_and_count_what_is_stored(crawl: Crawl) -> None:
    crawl.site.add(LINKED)
    crawl.site.pages["/a"] = page("/b", "/c", "/gone", "/file")
    crawl.site.pages["/file"] = SitePage(b"%PDF", content_type="application/pdf")

    books = (await crawl.run()).books

    assert books is not None
    assert books.adds_up
    assert (books.requested, books.ok, books.failed, books.skipped) == (7, 5, 1, 1)
    assert (books.stored, books.queued_left, books.skipped_by) == (5, 0, {"content_type": 1})


async def test_item_says_what_the_page_says(crawl: Crawl) -> None:
    metas = '<meta name=description content="怎么搭帐篷"><meta name=keywords content="露营,帐篷">'
    head = f"<title> 露营\n指南 </title>{metas}"
    crawl.site.pages["/"] = SitePage(
        f"<html lang=zh-CN><head>{head}</head><body><p>第一</p><p>第二</p></body>".encode()
    )

    await crawl.run()

    (item,) = await crawl.items()
    assert (item.title, item.text, item.lang) == ("露营 指南", "第一\n第二", "zh-CN")
    assert (item.kind, item.item_id, item.url) == ("page", crawl.site.url("/"), crawl.site.url("/"))
    assert item.tags == ("露营", "帐篷")
    assert item.extra["description"] == "怎么搭帐篷"


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "big5", "utf-8-sig", "utf-16"])
async def test_chinese_page_comes_out_right_in_its_encoding(crawl: Crawl, encoding: str) -> None:
    words = "露營是一種很好的休閒活動" if encoding == "big5" else "露营是一种很好的休闲活动"
    meta = "" if encoding.startswith("utf") else f"<meta charset={encoding}>"
    body = f"<html><head>{meta}<title>{words}</title></head><body>{words}</body></html>".encode(encoding)
    crawl.site.pages["/"] = SitePage(body, content_type="text/html")

    await crawl.run()

    (item,) = await crawl.items()
    assert (item.title, item.text) == (words, words)


async def test_link_in_a_gbk_page_is_asked_for_in_the_encoding_of_the_page(crawl: Crawl) -> None:
    body = '<meta charset=gbk><a href="/搜?q=露营">x</a>'.encode("gbk")
    crawl.site.pages["/"] = SitePage(body, content_type="text/html")

    await crawl.run()

    assert "/%E6%90%9C?q=%C2%B6%D3%AA" in crawl.site.hits


async def test_plain_text_that_was_asked_for_is_a_page_without_links(crawl: Crawl) -> None:
    crawl.site.pages["/a.txt"] = SitePage("你好 /a".encode(), content_type=PLAIN)

    await crawl.run({"urls": [crawl.site.url("/a.txt")]}, "page")

    (item,) = await crawl.items()
    assert (item.title, item.text) == (None, "你好 /a")


async def test_text_file_that_a_site_links_to_is_no_page_of_it(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/a.txt"]})
    crawl.site.pages["/a.txt"] = SitePage("你好".encode(), content_type=PLAIN)

    ended = await crawl.run()

    assert await crawl.paths() == ["/"]
    assert ended.books is not None
    assert ended.books.skipped_by == {"content_type": 1}


async def test_fragment_port_case_and_query_order_make_no_other_page(crawl: Crawl) -> None:
    upper = crawl.site.origin.upper().replace("HTTP", "http")
    crawl.site.add({"/": ["/a?x=1&y=2#top", "/a?y=2&x=1", f"{upper}/a?x=1&y=2", "a?x=1&y=2", "/#end"]})
    crawl.site.pages["/a?x=1&y=2"] = crawl.site.pages["/a?y=2&x=1"] = page()

    await crawl.run()

    assert crawl.site.asked == 2


async def test_foreign_hosts_and_schemes_are_not_followed(crawl: Crawl) -> None:
    links = ["https://other.example/", "mailto:a@b.c", "javascript:void(0)", "ftp://127.0.0.1/x", "http://[::1", "//"]
    crawl.site.add({"/": [*links, f"http://localhost:{crawl.site.port}/a"]})

    books = (await crawl.run()).books

    assert books is not None
    assert (books.requested, books.queued_left) == (1, 0)


async def test_depth_limit_cuts_below_the_last_level(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/1"], "/1": ["/2"], "/2": ["/3"], "/3": []})

    await crawl.run({"max_depth": 2})

    assert await crawl.paths() == ["/", "/1", "/2"]


async def test_depth_zero_fetches_the_start_urls_only(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    await crawl.run({"max_depth": 0, "start_urls": [crawl.site.url("/a"), crawl.site.url("/c")]})

    assert await crawl.paths() == ["/a", "/c"]


async def test_include_and_exclude_choose_links_but_not_start_urls(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/docs/a", "/docs/login", "/blog"], "/docs/a": [], "/docs/login": [], "/blog": []})

    await crawl.run({"include": ["*/docs/*"], "exclude": ["*login*"]})

    assert await crawl.paths() == ["/", "/docs/a"]


async def test_page_limit_is_reached_and_never_passed(crawl: Crawl) -> None:
    crawl.site.add({"/": [f"/{n}" for n in range(50)], **{f"/{n}": [] for n in range(50)}})

    books = (await crawl.run({"max_pages": 7})).books

    assert books is not None
    assert (books.stored, books.ok, books.requested, books.queued_left) == (7, 7, 7, 44)
    assert crawl.site.asked == 7


async def test_pages_that_fail_take_no_place_under_the_limit(crawl: Crawl) -> None:
    crawl.site.add({"/": [f"/{n}" for n in range(20)], **{f"/{n}": [] for n in range(10, 20)}})

    books = (await crawl.run({"max_pages": 8})).books

    assert books is not None
    assert (books.stored, books.adds_up) == (8, True)


async def test_type_page_fetches_its_urls_and_follows_nothing(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    ended = await crawl.run({"urls": [crawl.site.url("/a"), crawl.site.url("/b")]}, "page")

    assert await crawl.paths() == ["/a", "/b"]
    assert ended.books is not None
    assert (ended.books.requested, ended.books.queued_left) == (2, 0)


async def test_redirected_row_is_the_page_it_led_to(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/old"], "/new": []})
    crawl.site.pages["/old"] = redirect("/new")

    await crawl.run()

    assert await crawl.paths() == ["/", "/new"]
    row = (await crawl.pages())["/old"]
    assert (row.outcome, row.final_url) == ("ok", crawl.site.url("/new"))


async def test_page_reached_by_redirect_and_by_link_is_stored_once(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/old", "/older", "/new"], "/new": []})
    crawl.site.pages["/old"] = crawl.site.pages["/older"] = redirect("/new")

    books = (await crawl.run()).books

    assert await crawl.paths() == ["/", "/new"]
    assert books is not None
    assert (books.requested, books.ok, books.skipped_by) == (4, 2, {"duplicate": 2})


async def test_redirect_out_of_scope_is_skipped(crawl: Crawl, other_site: Site) -> None:
    crawl.site.pages = {"/": page("/out"), "/out": redirect(other_site.url("/in"))}
    other_site.add({"/in": []})

    books = (await crawl.run()).books

    assert books is not None
    assert (books.ok, books.skipped_by, await crawl.paths()) == (1, {"scope": 1}, ["/"])


async def test_scope_site_follows_to_another_host_of_the_site(crawl: Crawl, other_site: Site) -> None:
    crawl.site.pages = {"/": page(other_site.url("/in"))}
    other_site.add({"/in": []})

    books = (await crawl.run({"scope": "site"})).books

    assert books is not None
    assert (books.ok, other_site.hits["/in"]) == (2, 1)


@pytest.mark.parametrize(
    ("status", "outcome", "error"), [(404, "failed", "HTTP_STATUS"), (410, "failed", "HTTP_STATUS")]
)
async def test_missing_page_fails_at_once(crawl: Crawl, status: int, outcome: str, error: str) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": SitePage(status=status)}

    ended = await crawl.run()

    row = (await crawl.pages())["/x"]
    assert (row.outcome, row.error, row.http_status, row.attempts) == (outcome, error, status, 1)
    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.PARTIAL


@pytest.mark.parametrize("status", [401, 403, 451])
async def test_refused_page_is_blocked_and_not_asked_again(crawl: Crawl, status: int) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": SitePage(status=status)}

    await crawl.run()

    row = (await crawl.pages())["/x"]
    assert (row.state, row.outcome, row.error, crawl.site.hits["/x"]) == ("failed", "blocked", "BLOCKED", 1)


async def test_passing_failure_is_asked_again_and_counted_once(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": page(statuses=(503, 500))}

    books = (await crawl.run()).books

    row = (await crawl.pages())["/x"]
    assert books is not None
    assert (row.outcome, row.attempts, crawl.site.hits["/x"]) == ("ok", 3, 3)
    assert (books.requested, books.ok) == (2, 2)


@pytest.mark.parametrize(
    ("status", "outcome", "error"), [(503, "failed", "HTTP_STATUS"), (429, "blocked", "THROTTLED")]
)
async def test_lasting_failure_ends_after_three_attempts(crawl: Crawl, status: int, outcome: str, error: str) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": SitePage(status=status)}

    await crawl.run()

    row = (await crawl.pages())["/x"]
    assert (row.outcome, row.error, row.attempts, crawl.site.hits["/x"]) == (outcome, error, 3, 3)


async def test_longer_retry_after_than_we_wait_ends_the_page(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": SitePage(status=429, headers={"Retry-After": "3600"})}

    await crawl.run()

    assert crawl.site.hits["/x"] == 1


async def test_back_off_is_told_in_the_log(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page(statuses=(429,), headers={"Retry-After": "1"})}

    await crawl.run()

    lines = [(message, fields["url"]) for _, message, fields in crawl.runs[0].lines if "重试" in message]
    assert lines == [("429，1s 后第 1 次重试", crawl.site.url("/"))]


async def test_empty_page_is_empty_and_no_item(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/x"), "/x": SitePage(b"  \n"), "/y": SitePage(status=204)}
    crawl.site.pages["/"] = page("/x", "/y")

    books = (await crawl.run()).books

    assert books is not None
    assert (books.ok, books.empty, books.stored) == (1, 2, 1)


async def test_crawl_whose_every_start_failed_has_failed_with_the_first_error(crawl: Crawl) -> None:
    ended = (await crawl.run()).ending

    assert ended is not None
    assert ended.error is not None
    assert (ended.status, ended.error.name, ended.error.url) == (
        TaskStatus.FAILED,
        "HTTP_STATUS",
        crawl.site.url("/"),
    )


async def test_crawl_of_empty_pages_only_has_not_succeeded(crawl: Crawl) -> None:
    crawl.site.pages = {"/": SitePage(b"")}

    ended = (await crawl.run()).ending

    assert ended is not None
    assert ended.status is TaskStatus.FAILED


async def test_host_is_asked_for_no_more_at_once_than_told(crawl: Crawl) -> None:
    crawl.site.add({"/": [f"/{n}" for n in range(30)], **{f"/{n}": [] for n in range(30)}})

    await crawl.run({"concurrency": 3})

    assert crawl.site.most_open <= 3


async def test_delay_lies_between_the_starts_of_requests(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/a", "/b", "/c"], "/a": [], "/b": [], "/c": []})
    loop = asyncio.get_running_loop()
    start = loop.time()

    await crawl.run({"delay_s": 0.05})

    assert loop.time() - start >= 0.15
    assert crawl.site.most_open == 1


async def test_honest_user_agent_is_sent(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    await crawl.run({"obey_robots": True})

    assert crawl.site.agents == {"MediaCrawerPro/test (+https://example.org/bot)"}


async def test_progress_and_checkpoint_tell_how_far_it_is(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    await crawl.run()

    shown = crawl.runs[0]
    assert (shown.shown.done, shown.shown.total, shown.shown.unit) == (5, 5, "page")
    assert shown.books.ok == 5
    assert shown.checkpoints
    assert all(state["stored"] > 0 for state, _ in shown.checkpoints)
    assert shown.checkpoints[-1][1].startswith(f"{shown.checkpoints[-1][0]['stored']} pages, frontier ")


async def test_huge_page_ends_as_too_large_and_the_crawl_goes_on(crawl: Crawl) -> None:
    crawl.slower(limits=FetchLimits(total_s=5, page_bytes=10_000))
    crawl.site.add({"/": ["/huge", "/a"], "/a": []})
    crawl.site.pages["/huge"] = SitePage(b"x" * 20_000)

    await crawl.run()

    assert (await crawl.pages())["/huge"].error == "TOO_LARGE"
    assert await crawl.paths() == ["/", "/a"]


async def test_endless_redirect_ends_by_its_name(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/loop"), "/loop": redirect("/loop")}

    await crawl.run()

    assert (await crawl.pages())["/loop"].error == "TOO_MANY_REDIRECTS"


async def test_redirect_to_a_private_address_ends_by_its_name(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/in"), "/in": redirect("http://169.254.169.254/latest")}

    await crawl.run()

    assert (await crawl.pages())["/in"].error == "PRIVATE_ADDRESS"


async def test_page_that_would_take_the_parser_for_ever_fails_by_name(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/deep", "/a"), "/deep": SitePage(b"<div>" * 100_000), "/a": page()}

    await crawl.run()

    assert (await crawl.pages())["/deep"].error == "PARSE_FAILED"
    assert await crawl.paths() == ["/", "/a"]


async def test_start_url_that_nobody_can_fetch_is_a_row_that_says_so(crawl: Crawl) -> None:
    crawl.site.add(LINKED)

    await crawl.run({"start_urls": ["ftp://example.org/", crawl.site.url("/d")]})

    rows = await crawl.pages()
    assert (rows["ftp://example.org/"].outcome, rows["ftp://example.org/"].error) == ("failed", "SCHEME_REFUSED")
    assert rows["/d"].outcome == "ok"
