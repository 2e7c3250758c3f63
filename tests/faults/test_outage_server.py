"""A real server whose MongoDB or Redis falls silent: what callers are told, and that its work stops and goes on.

One server for all; the shortest lease there is, so that a second without an answer is an outage and four are a fence.
"""

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from tests.fixtures.fault_proxy import FaultProxy
from tests.fixtures.server import ServerProcess, wait_until
from tests.fixtures.small_site import SmallSite, small_site

pytestmark = pytest.mark.slow

LEASE_S = 5.0
STORE_TIMEOUT_S = LEASE_S / 5
FENCED_S = LEASE_S * 5 / 6
# What a machine that is busy adds.
MARGIN_S = 2.5
HELD = {"platform": "web", "type": "page", "params": {"urls": ["http://127.0.0.1:9/"]}, "start": "manual"}


@dataclass(frozen=True)
class Outages:
    """The server, and the proxies between it and its stores."""

    server: ServerProcess
    mongo: FaultProxy
    redis: FaultProxy
    site: SmallSite
    # One for all: making its TLS context costs more than many answers.
    client: httpx.Client

    def ask(self, method: str, path: str, body: object = None, *, key: str = "") -> tuple[httpx.Response, float]:
        """Return the answer, and how long it took in s."""
        headers = {"Idempotency-Key": key} if key else {}
        begun = time.monotonic()
        answer = self.client.request(method, self.server.base + path, json=body, headers=headers)
        return answer, time.monotonic() - begun

    def is_whole(self) -> bool:
        """Whether every store answers the server again."""
        return bool(self.ask("GET", "/health")[0].json()["status"] == "ok")

    def crawl(self) -> str:
        """Start a crawl of slow pages, and return its id once it asks for them."""
        asked = self.site.asked
        params = {"start_urls": [f"{self.site.url}/pages/0"], "max_pages": 10_000, "obey_robots": False}
        task_id = self.server.create(params)
        wait_until(lambda: self.site.asked > asked)
        return task_id

    def children(self) -> list[str]:
        """Return the names of the programs that the server runs."""
        return [Path(f"/proc/{pid}/comm").read_text() for pid in _children_of(self.server.pid)]


def _children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.fixture(scope="module")
def house(mongo_url: str, redis_url: str) -> Iterator[Outages]:
    folder = Path(tempfile.mkdtemp(prefix="mcp-"))
    mongo_socket = unquote(mongo_url.removeprefix("mongodb://").partition("/")[0])
    with (
        FaultProxy(mongo_socket) as mongo,
        FaultProxy(redis_url.removeprefix("unix://")) as redis,
        small_site() as site,
        httpx.Client(timeout=30, trust_env=False) as client,
    ):
        environ = {
            "MONGODB_URL": f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}",
            "MONGODB_DATABASE": f"test_{uuid.uuid4().hex[:12]}",
            "LEASE_S": str(LEASE_S),
        }
        server = ServerProcess(folder / "data", folder / "server.log", environ)
        try:
            yield Outages(server.start(), mongo, redis, site, client)
            mongo.behave()
            redis.behave()
            assert server.stop() == 0
            assert not server.leftovers()
            assert "Traceback" not in server.log_text
        finally:
            server.end()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def whole(house: Outages) -> Iterator[Outages]:
    """The house with nothing amiss, before and after."""
    wait_until(house.is_whole)
    yield house
    house.mongo.behave()
    house.redis.behave()


@contextlib.contextmanager
def silent(proxy: FaultProxy) -> Iterator[None]:
    proxy.behave(is_silent=True)
    try:
        yield
    finally:
        proxy.behave()


def test_every_route_that_needs_mongodb_says_503_in_time(whole: Outages) -> None:
    task_id = str(whole.ask("POST", "/api/v1/tasks", HELD)[0].json()["data"]["task_id"])
    task = f"/api/v1/tasks/{task_id}"
    calls = [("POST", "/api/v1/tasks", HELD), ("DELETE", task, None), ("POST", f"{task}/start", None)]
    parts = ("", "/items", "/pages", "/artifacts", "/logs", "/history")
    calls += [("GET", path, None) for path in ("/api/v1/tasks", *(f"{task}{part}" for part in parts))]

    with silent(whole.mongo), ThreadPoolExecutor(len(calls)) as crowd:
        answers = list(crowd.map(lambda call: whole.ask(*call), calls))

    told = {(answer.status_code, answer.json()["error"]["name"]) for answer, _ in answers}
    assert told == {(503, "STORE_UNAVAILABLE")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer, _ in answers)
    assert max(took_s for _, took_s in answers) < STORE_TIMEOUT_S + MARGIN_S


def test_health_answers_at_once_without_mongodb(whole: Outages) -> None:
    with silent(whole.mongo):
        down, down_s = whole.ask("GET", "/health")
        live, live_s = whole.ask("GET", "/health/live")

    assert (down.status_code, down.json()["status"], live.status_code) == (503, "down", 200)
    assert down_s < 1.0 + MARGIN_S
    assert live_s < MARGIN_S


def test_refused_create_is_repeated_by_its_key_and_made_once(whole: Outages) -> None:
    label, key = uuid.uuid4().hex, uuid.uuid4().hex
    body = {**HELD, "labels": [label]}
    with silent(whole.mongo):
        refused, _ = whole.ask("POST", "/api/v1/tasks", body, key=key)
    wait_until(whole.is_whole)

    made, _ = whole.ask("POST", "/api/v1/tasks", body, key=key)

    listed, _ = whole.ask("GET", f"/api/v1/tasks?label={label}")
    assert (refused.status_code, made.status_code) == (503, 200)
    assert [one["task_id"] for one in listed.json()["data"]["items"]] == [made.json()["data"]["task_id"]]


def test_create_read_and_cancel_are_quick_without_redis(whole: Outages) -> None:
    task_id = whole.crawl()

    with silent(whole.redis):
        answers = [whole.ask("POST", "/api/v1/tasks", HELD), whole.ask("GET", f"/api/v1/tasks/{task_id}")]
        answers.append(whole.ask("DELETE", f"/api/v1/tasks/{task_id}?wait=10"))
        wait_until(lambda: whole.ask("GET", "/health")[0].json()["status"] == "degraded")

    assert [answer.status_code for answer, _ in answers] == [200, 200, 200]
    assert answers[-1][0].json()["data"]["status"] == "cancelled"
    assert max(took_s for _, took_s in answers) < 1.5 + MARGIN_S


def test_work_stops_when_the_lease_cannot_be_kept_and_goes_on_afterwards(whole: Outages) -> None:
    film = {"scenes": [{"text": "第一幕"}] * 100, "seconds_per_scene": 30, "size": "320x180"}
    film_id = whole.server.call("POST", "/tasks", {"platform": "storyboard", "params": film})["task_id"]
    task_id = whole.crawl()
    wait_until(whole.children)

    with silent(whole.mongo):
        cut_at = time.monotonic()
        wait_until(lambda: not whole.children(), within_s=FENCED_S + MARGIN_S)
        time.sleep(max(0.0, cut_at + FENCED_S + 0.5 - time.monotonic()))
        asked = whole.site.asked
        time.sleep(1.0)
        asked_later = whole.site.asked

    assert asked_later == asked
    wait_until(lambda: whole.site.asked > asked, within_s=LEASE_S + 15 + MARGIN_S)
    for one in (film_id, task_id):
        assert whole.server.call("DELETE", f"/tasks/{one}", wait="20")["status"] == "cancelled"
