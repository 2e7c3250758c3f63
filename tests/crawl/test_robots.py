"""robots.txt: what it forbids is not asked for; unknown rules forbid everything."""

import asyncio

import pytest

from backend.crawl.fetch import Answer
from backend.crawl.robots import RobotRules, RulesUnknown, read_rules
from backend.domain.task import TaskStatus
from tests.fixtures.crawls import Crawl
from tests.fixtures.site import SitePage, page, redirect

AGENT = "MediaCrawerPro/1 (+https://example.org/bot)"
ROBOTS = {"obey_robots": True}


def rules(text: str) -> RobotRules:
    found = read_rules(Answer("http://h/robots.txt", status=200, body=text.encode()), AGENT)
    assert isinstance(found, RobotRules)
    return found


def robots(text: str) -> SitePage:
    return SitePage(text.encode(), content_type="text/plain")


async def test_forbidden_page_is_skipped_and_never_asked_for(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/private/a", "/public"], "/private/a": [], "/public": []})
    crawl.site.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /private/\n")

    books = (await crawl.run(ROBOTS)).books

    assert books is not None
    assert (books.ok, books.skipped_by, crawl.site.hits["/private/a"]) == (2, {"robots": 1}, 0)


async def test_robots_txt_is_read_once_a_run(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/a", "/b"], "/a": [], "/b": []})

    await crawl.run(ROBOTS)

    assert crawl.site.hits["/robots.txt"] == 1


async def test_robots_txt_is_not_asked_for_when_the_task_says_so(crawl: Crawl) -> None:
    crawl.site.add({"/": []})
    crawl.site.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /\n")

    books = (await crawl.run({"obey_robots": False})).books

    assert books is not None
    assert (books.ok, crawl.site.hits["/robots.txt"]) == (1, 0)


async def test_site_that_forbids_its_start_is_a_refusal(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page(), "/robots.txt": robots("User-agent: *\nDisallow: /\n")}

    ended = (await crawl.run(ROBOTS)).ending

    assert ended is not None
    assert ended.error is not None
    assert (ended.status, ended.error.name) == (TaskStatus.FAILED, "BLOCKED")


async def test_redirect_into_a_forbidden_part_is_skipped(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page("/in"), "/in": redirect("/private"), "/private": page()}
    crawl.site.pages["/robots.txt"] = robots("User-agent: *\nDisallow: /private\n")

    books = (await crawl.run(ROBOTS)).books

    assert books is not None
    assert (books.ok, books.skipped_by) == (1, {"robots": 1})


async def test_unknown_rules_are_asked_for_again(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page(), "/robots.txt": SitePage(statuses=(503, 503), status=404)}

    books = (await crawl.run(ROBOTS)).books

    assert books is not None
    assert (books.ok, crawl.site.hits["/robots.txt"]) == (1, 3)


async def test_rules_that_stay_unknown_forbid_every_page(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page(), "/robots.txt": SitePage(status=500)}

    ended = await crawl.run(ROBOTS)

    assert ended.books is not None
    assert (ended.books.failed, crawl.site.asked) == (1, 0)
    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.FAILED


async def test_crawl_delay_lies_between_requests(crawl: Crawl) -> None:
    crawl.site.add({"/": ["/a", "/b"], "/a": [], "/b": []})
    crawl.site.pages["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 0.05\n")
    loop = asyncio.get_running_loop()
    start = loop.time()

    await crawl.run(ROBOTS)

    assert loop.time() - start >= 0.1
    assert crawl.site.most_open == 1


def test_rules_for_our_agent_beat_those_for_all() -> None:
    found = rules("User-agent: *\nDisallow: /\n\nUser-agent: MediaCrawerPro\nDisallow: /no\n")

    assert (found.allows("http://h/yes"), found.allows("http://h/no")) == (True, False)


def test_wildcards_and_byte_order_mark_are_understood() -> None:
    found = rules("\ufeffUser-agent: *\nDisallow: /*.pdf$\nAllow: /ok*.pdf$\n")

    assert (found.allows("http://h/a.pdf"), found.allows("http://h/ok1.pdf")) == (False, True)


@pytest.mark.parametrize(("stated", "delay_s"), [("2", 2.0), ("86400", 60.0), ("-1", 0.0), ("nan", 0.0), ("x", 0.0)])
def test_crawl_delay_is_bounded(stated: str, delay_s: float) -> None:
    assert rules(f"User-agent: *\nCrawl-delay: {stated}\n").delay_s == delay_s


@pytest.mark.parametrize("status", [404, 401, 403, 410])
def test_missing_robots_txt_allows_everything(status: int) -> None:
    found = read_rules(Answer("http://h/robots.txt", status=status), AGENT)

    assert isinstance(found, RobotRules)
    assert found.allows("http://h/any")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer("u", status=503), "HTTP_STATUS"),
        (Answer("u", status=429), "THROTTLED"),
        (Answer("u", error="DEADLINE"), "DEADLINE"),
        (Answer("u", error="PRIVATE_ADDRESS"), "PRIVATE_ADDRESS"),
    ],
)
def test_rules_without_an_answer_are_unknown(answer: Answer, error: str) -> None:
    assert read_rules(answer, AGENT) == RulesUnknown(error)
