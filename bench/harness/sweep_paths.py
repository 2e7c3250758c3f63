"""The ways through the product that are swept."""

from collections.abc import Awaitable, Callable
from typing import Any

from backend.domain.task import Task
from bench.harness.sweep import Ride, SweptPath
from bench.harness.sweep_house import House
from tests.fixtures.site import SitePage, page, redirect

_LARGE_WORDS = 60_000
# A cancel during a submit waits for its answer.
_LATE_S = 0.1
_SITE: dict[str, Any] = {"max_pages": 50, "max_depth": 3, "concurrency": 2}
_TWO_SCENES = {"scenes": [{"text": "海"}, {"text": "城"}], "size": "160x90", "fps": 10, "seconds_per_scene": 1}
_PROMPT = {"prompt": "清晨的海边"}

Create = Callable[[House], Awaitable[Task]]


def _crawl(pages: dict[str, SitePage], **changes: object) -> Create:
    async def create(house: House) -> Task:
        site = house.stand_ins.site
        site.pages = pages
        return await house.create("web", "site", {**_SITE, "start_urls": [site.url("/")], **changes})

    return create


def _video(*faults: tuple[str, str, dict[str, Any]], polls: int = 3) -> Create:
    async def create(house: House) -> Task:
        vendor = house.stand_ins.vendor
        vendor.polls_until_done = polls
        for kind, do, options in faults:
            vendor.plan(kind, do, **options)
        return await house.create("cogvideox", "video", dict(_PROMPT))

    return create


async def _named(house: House) -> Task:
    site = house.stand_ins.site
    site.pages = _PAGES
    return await house.create("web", "site", {**_SITE, "start_urls": [f"http://site.test:{site.port}/"]})


async def _film(house: House) -> Task:
    return await house.create("storyboard", "video", dict(_TWO_SCENES))


async def _through(ride: Ride) -> None:
    await ride.let_run()


async def _abandoned(ride: Ride) -> None:
    """Leave an open job by a drain, then cancel: nobody runs it, so the provider has to be asked all the same."""
    house = ride.house
    house.service.schedule(await _pending(ride))
    while not house.stand_ins.vendor.polls:
        await house.step()
    await house.restart()
    with ride.meter.counting():
        await house.service.cancel_task(ride.task_id, by="sweep", wait_s=10)


async def _pending(ride: Ride) -> Task:
    task = await ride.house.make_due(ride.task_id)
    assert task is not None
    return task


_PAGES = {
    "/robots.txt": SitePage(b"User-agent: *\nDisallow: /no\n", content_type="text/plain"),
    "/": page("/a", "/b", "/no"),
    "/a": page("/", "/b", text="a"),
    "/b": page("/c", text="b"),
    "/c": page(text="c"),
}
_TROUBLES = {
    "/": page("/busy", "/moved", "/asked", "/gone"),
    "/busy": page(text="busy", statuses=(503,)),
    "/asked": page(text="asked", statuses=(429,), headers={"Retry-After": "0"}),
    "/moved": redirect("/there"),
    "/there": page(text="there"),
}
_LARGE = {"/": SitePage(page().body + b"<p>" + b"word " * _LARGE_WORDS)}

PATHS: tuple[SweptPath, ...] = (
    SweptPath("crawl", _crawl(_PAGES), _through),
    SweptPath("crawl_troubles", _crawl(_TROUBLES), _through, own_ends=("succeeded", "partial")),
    SweptPath("crawl_large_body", _crawl(_LARGE, obey_robots=False), _through),
    SweptPath("crawl_resumed", _crawl(_PAGES), _through, drain_share=0.5),
    SweptPath("crawl_names", _named, _through, lookup_s=0.3),
    SweptPath("crawl_thread", _crawl(_PAGES), _through, use_threads=True),
    SweptPath("video", _video(), _through),
    SweptPath("video_late_answer", _video(("submit", "late", {"seconds": _LATE_S})), _through, extra_ms=_LATE_S * 1000),
    SweptPath("video_refused", _video(("submit", "refuse", {"status": 429, "code": "1302"})), _through),
    SweptPath("video_lost_answer", _video(("submit", "accept_and_drop", {})), _through, own_ends=("failed",)),
    SweptPath("video_retried", _video(("file", "drop", {"times": 5})), _through),
    SweptPath("video_resumed", _video(), _through, drain_share=0.4),
    SweptPath("video_abandoned", _video(polls=10_000), _abandoned, own_ends=("cancelled",)),
    SweptPath("video_thread", _video(), _through, use_threads=True),
    SweptPath("waiting", _video(), _through, own_ends=("waiting", "cancelled"), has_key=False),
    SweptPath("film", _film, _through),
    SweptPath("film_thread", _film, _through, use_threads=True),
)
