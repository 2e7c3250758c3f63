"""What the stand-in gives to a client that is no page."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import tornado.ioloop

from tests.fixtures.server import ROOT, wait_until
from tests.fixtures.socket_server import Request
from tests.fixtures.xhs_site import XhsSite
from tests.fixtures.xhs_site.answers import read_call
from tests.fixtures.xhs_site.api import HANDLERS
from tests.fixtures.xhs_site.content import World

SEARCH = "/api/sns/web/v1/search/notes"
ASKED = {"keyword": "露营", "page": 1, "page_size": 20, "sort": "general", "note_type": 0}


@pytest.fixture
def site(io_loop: tornado.ioloop.IOLoop) -> Iterator[XhsSite]:
    made = XhsSite()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


def client(site: XhsSite) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=site.base_url, trust_env=False, timeout=10)


async def test_unsigned_request_is_refused(site: XhsSite) -> None:
    async with client(site) as http:
        answer = await http.post(SEARCH, json=ASKED)

    assert (answer.status_code, answer.json()["code"], answer.json()["success"]) == (406, -1, False)
    assert [one.path for one in site.unsigned] == [SEARCH]


async def test_made_up_signature_wants_a_captcha(site: XhsSite) -> None:
    async with client(site) as http:
        answer = await http.post(SEARCH, json=ASKED, headers={"x-s": "XYS_0123456789abcdef.abc.1", "x-t": "1"})

    assert answer.status_code == 461
    assert {"verifytype", "verifyuuid"} <= set(answer.headers)


async def test_first_page_is_in_the_state_in_camel_case(site: XhsSite) -> None:
    async with client(site) as http:
        html = (await http.get("/search_result", params={"keyword": "露营"})).text

    first = site.world.notes("露营")[0]
    assert f'"id":"{first.note_id}","modelType":"note","noteCard":{{"type":"normal","displayTitle"' in html
    assert f'"xsecToken":"{first.token}"' in html


async def test_state_holds_bare_undefined_and_the_word_inside_a_text(site: XhsSite) -> None:
    tricky = site.world.notes("露营")[2]

    async with client(site) as http:
        html = (await http.get(f"/explore/{tricky.note_id}", params={"xsec_token": tricky.token})).text

    assert '"pwaAddDesktopPrompt":undefined' in html
    assert "结果是 undefined，null" in html
    assert "</script><script>window.wasHarmed" not in html


async def test_half_surrogates_come_as_json_escapes(site: XhsSite) -> None:
    broken = site.world.notes("露营")[1]

    async with client(site) as http:
        body = (await http.get(f"/explore/{broken.note_id}", params={"xsec_token": broken.token})).content

    assert "断掉的表情 \\ud83d 和完整的 😀" in body.decode("utf-8")


async def test_note_without_its_token_is_not_opened(site: XhsSite) -> None:
    note = site.world.notes("露营")[0]

    async with client(site) as http:
        bare, gone = await http.get(f"/explore/{note.note_id}"), await http.get(f"/explore/{'0' * 24}")

    assert (bare.status_code, gone.status_code) == (302, 302)
    assert "error_code=-510001" in bare.headers["location"]
    assert "error_code=-510000" in gone.headers["location"]


async def test_media_are_real_files_of_their_own(site: XhsSite) -> None:
    paths = ("/media/image/a/0.jpg", "/media/image/b/0.jpg", "/media/image/a/1.png", "/media/video/a.mp4")

    async with client(site) as http:
        answers = [await http.get(path) for path in paths]

    assert [one.content[:4] for one in answers[:3]] == [b"\xff\xd8\xff\xfe", b"\xff\xd8\xff\xfe", b"\x89PNG"]
    assert answers[3].content[4:8] == b"ftyp"
    assert len({one.content for one in answers}) == 4


async def test_hung_request_is_over_when_its_client_leaves(site: XhsSite) -> None:
    site.plan("search_page", "hang", match="露营")
    async with client(site) as http:
        asking = asyncio.create_task(http.get("/search_result", params={"keyword": "露营"}))
        await site.holding.wait()
        during = site.answering

        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    while site.open_connections:  # noqa: ASYNC110 - the kernel has no event to wait for
        await asyncio.sleep(0.001)
    assert (during, site.answering) == (1, 0)


async def test_fault_is_met_by_the_nth_request_only(site: XhsSite) -> None:
    site.plan("search_page", "status", nth=2, status=429, retry_after=7)

    async with client(site) as http:
        answers = [await http.get("/search_result", params={"keyword": "a"}) for _ in range(3)]

    assert [one.status_code for one in answers] == [200, 429, 200]
    assert answers[1].headers["retry-after"] == "7"


async def test_other_processes_give_orders_over_http(site: XhsSite) -> None:
    async with client(site) as http:
        await http.post("/_site/plan", json={"kind": "search_page", "do": "restricted"})
        met = await http.get("/search_result", params={"keyword": "a"})
        wrong = await http.post("/_site/plan", json={"kind": "search_page", "do": "dance"})
        counts = (await http.get("/_site/counts")).json()
        truth = (await http.get("/_site/truth", params={"keyword": "露营"})).json()

    assert (met.status_code, wrong.status_code) == (302, 400)
    assert counts["faults"] == {"search_page:restricted": 1}
    assert [one["note_id"] for one in truth] == [note.note_id for note in site.world.notes("露营")]


@pytest.mark.parametrize("kind", ["comments", "replies", "posted"])
async def test_every_list_can_promise_more_for_ever(site: XhsSite, kind: str) -> None:
    note = site.world.notes("露营")[0]
    thread = next(one for one in site.world.comments(note.note_id) if len(one.replies) > 10)
    target = note.author if kind == "posted" else note
    query = f"note_id={note.note_id}&user_id={note.author.user_id}&root_comment_id={thread.comment_id}&xsec_token="

    def page(cursor: str, fault: str = "") -> dict[str, Any]:
        request = Request("GET", f"/?{query}{target.token}&cursor={cursor}", {}, b"")
        answer = HANDLERS[kind](site, read_call(request, site.origin), fault)
        data: dict[str, Any] = json.loads(answer.body)["data"]
        return data

    first = page("")
    looped, endless = page(first["cursor"], "loop"), page(first["cursor"], "endless")

    name = "notes" if kind == "posted" else "comments"
    assert looped[name] == first[name]
    assert endless[name] == []
    assert (looped["has_more"], endless["has_more"]) == (True, True)


async def test_guest_is_sent_to_log_in_where_that_is_wanted(site: XhsSite) -> None:
    site.set_login("redirect")
    cookie = site.log_in()

    async with client(site) as http:
        as_guest = await http.get("/search_result", params={"keyword": "a"})
        http.cookies.set(cookie["name"], cookie["value"])
        as_reader = await http.get("/search_result", params={"keyword": "a"})

    assert (as_guest.status_code, as_reader.status_code) == (302, 200)
    assert as_guest.headers["location"].startswith("/login?redirectPath=http")


async def test_held_answer_comes_when_it_is_let_go(site: XhsSite) -> None:
    site.plan("media", "hold")

    async with client(site) as http:
        asking = asyncio.create_task(http.get("/media/image/a/0.png"))
        await site.holding.wait()
        site.release()
        answer = await asking

    assert answer.status_code == 200


@pytest.mark.parametrize("how", ["drop", "reset", "short"])
async def test_broken_wire_brings_no_answer(site: XhsSite, how: str) -> None:
    site.plan("search_page", how)

    async with client(site) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/search_result", params={"keyword": "a"})


def test_same_seed_is_the_same_world() -> None:
    ids = [[note.note_id for note in World(seed=seed).notes("露营")] for seed in (1, 1, 2)]

    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_program_prints_where_it_is() -> None:
    argv = [sys.executable, "-m", "tests.fixtures.xhs_site"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        base = program.stdout.readline().strip()

        status = httpx.get(f"{base}/explore", trust_env=False).status_code
        program.terminate()

        assert wait_until(lambda: program.poll() is not None)
    assert (status, program.returncode) == (200, 0)
