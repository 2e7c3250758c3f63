"""`/accounts`: what comes in, what goes out, and what never does."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import tornado.ioloop
from bson import json_util

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import captured_log
from backend.core.secrets import open_box
from backend.core.settings import Settings
from backend.domain.account import AuthState
from tests.fixtures.api_server import ApiServer
from tests.fixtures.logins import COOKIE_LINE, SECRET, ScriptedVisit, plain_flow

ACCOUNTS = "/api/v1/accounts"
LOGIN = f"{ACCOUNTS}/xhs/login"
NEW = {"platform": "xhs", "label": "我的号"}
ACCOUNT_KEYS = {
    *("account_id", "platform", "label", "is_default", "state", "checked_at", "expires_at", "has_cookies"),
    *("cookies_hint", "created_by", "created_at", "updated_at", "history"),
}


@pytest.fixture
def visit() -> ScriptedVisit:
    return ScriptedVisit()


@pytest.fixture
def stores(database: Database, cache: Cache, clock: Clock) -> tuple[Database, Cache, Clock]:
    return database, cache, clock


@pytest.fixture
def api(
    stores: tuple[Database, Cache, Clock],
    tmp_path: Path,
    visit: ScriptedVisit,
    io_loop: tornado.ioloop.IOLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ApiServer]:
    """A server whose platform xhs has a login page that a test plays."""
    made = ApiServer(*stores, tmp_path, Settings(), logins={"xhs": plain_flow()})
    monkeypatch.setattr(made.accounts.desk, "_visit", visit.make)
    monkeypatch.setattr(made.accounts, "_refuse_without_browser", lambda: None)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
    assert visit.opened == visit.closed


async def add(api: ApiServer, **more: Any) -> dict[str, Any]:
    answer = await api.client.post(ACCOUNTS, json={**NEW, **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


@asynccontextmanager
async def following(api: ApiServer, **query: str) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    async with api.client.stream("GET", LOGIN, params=query) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield _frames(answer)


async def _frames(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


# -- accounts ----------------------------------------------------------------------------------------------------


async def test_an_account_is_added_listed_and_read(api: ApiServer) -> None:
    made = await add(api)

    listed = (await api.client.get(ACCOUNTS)).json()["data"]
    read = (await api.client.get(f"{ACCOUNTS}/{made['account_id']}")).json()["data"]
    assert made.keys() == ACCOUNT_KEYS
    assert listed == {"items": [made], "next_cursor": None, "key_problem": None}
    assert read == made
    assert (made["state"], made["is_default"], made["has_cookies"]) == ("missing", True, False)
    assert [(one["what"], one["by"]) for one in made["history"]] == [("created", "local")]


async def test_of_given_cookies_the_last_four_characters_are_shown(api: ApiServer) -> None:
    made = await add(api, cookies=COOKIE_LINE)

    assert (made["state"], made["has_cookies"], made["cookies_hint"]) == ("unknown", True, f"****{SECRET[-4:]}")


async def test_an_account_is_renamed_preferred_and_given_another_session(api: ApiServer) -> None:
    await add(api)
    second = await add(api, label="另一个")

    answer = await api.client.patch(
        f"{ACCOUNTS}/{second['account_id']}", json={"label": "乙", "cookies": COOKIE_LINE, "is_default": True}
    )

    changed = answer.json()["data"]
    assert (changed["label"], changed["has_cookies"], changed["is_default"]) == ("乙", True, True)
    assert [one["what"] for one in changed["history"]] == ["created", "cookies_set", "renamed", "made_default"]


async def test_a_removed_account_is_gone_with_its_profile(api: ApiServer) -> None:
    made = await add(api)
    profile = api.folder / "browser" / "xhs-default"
    (profile / "Default").mkdir(parents=True)
    outside = api.folder / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (profile / "link").symlink_to(outside)

    answer = await api.client.delete(f"{ACCOUNTS}/{made['account_id']}")

    assert answer.json()["data"] == {"account_id": made["account_id"], "deleted": True}
    assert not profile.exists()
    assert (outside / "kept").exists()
    assert (await api.client.get(f"{ACCOUNTS}/{made['account_id']}")).status_code == 404


async def test_a_profile_that_is_a_link_goes_as_a_link(api: ApiServer) -> None:
    made = await add(api)
    outside = api.folder / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (api.folder / "browser").mkdir(exist_ok=True)
    (api.folder / "browser" / "xhs-default").symlink_to(outside)

    await api.client.delete(f"{ACCOUNTS}/{made['account_id']}")

    assert (outside / "kept").exists()
    assert not (api.folder / "browser" / "xhs-default").is_symlink()


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, 42201, "platform"),
        ({**NEW, "label": " "}, 42201, "label"),
        ({**NEW, "label": "a\nb"}, 42201, "label"),
        ({**NEW, "cookies": 5}, 42201, "cookies"),
        ({**NEW, "cookies": "a=1"}, 42201, "cookies"),
        ({**NEW, "cookie": SECRET}, 42201, "cookie"),
        ({**NEW, "cookies": SECRET * 6_000}, 42201, "cookies"),
        ({**NEW, "cookies": {"web_session": SECRET}}, 42201, "cookies"),
        ({**NEW, "platform": "web"}, 40401, None),
    ],
)
async def test_a_bad_account_is_refused_and_nothing_of_it_said(
    api: ApiServer, body: dict[str, Any], code: int, path: str | None
) -> None:
    answer = await api.client.post(ACCOUNTS, json=body)

    expected = code if code != 40401 else 40402
    assert answer.json()["code"] == expected
    assert SECRET not in answer.text
    assert path is None or answer.json()["error"]["fields"][0]["path"] == path
    assert (await api.client.get(ACCOUNTS)).json()["data"]["items"] == []


async def test_a_label_that_is_taken_is_named(api: ApiServer) -> None:
    await add(api)

    answer = await api.client.post(ACCOUNTS, json=NEW)

    assert (answer.json()["code"], answer.json()["error"]["name"]) == (40904, "NAME_TAKEN")


@pytest.mark.parametrize("call", ["get", "patch", "delete", "check"])
async def test_an_unknown_account_is_not_found(api: ApiServer, call: str) -> None:
    path = f"{ACCOUNTS}/acc_none"

    answer = await (
        api.client.post(f"{path}/check")
        if call == "check"
        else api.client.request(call, path, json={} if call == "patch" else None)
    )

    assert answer.json()["code"] == 40402


async def test_without_its_key_the_server_says_so_and_keeps_what_is_sealed(tmp_path: Path, api: ApiServer) -> None:
    made = await add(api, cookies=COOKIE_LINE)
    keyless = open_box(tmp_path / "keyless", has_sealed=True)
    api.accounts._box = api.account_store._box = keyless

    listed = (await api.client.get(ACCOUNTS)).json()["data"]
    refused = await api.client.post(ACCOUNTS, json={**NEW, "label": "b", "cookies": COOKIE_LINE})

    assert listed["key_problem"]["name"] == "SECRETS_KEY_MISSING"
    assert [one["account_id"] for one in listed["items"]] == [made["account_id"]]
    assert (refused.status_code, refused.json()["error"]["name"]) == (409, "STATE_CONFLICT")
    assert "SECRETS_KEY_MISSING" in refused.json()["message"]


# -- how a login stands ------------------------------------------------------------------------------------------


async def platform_state(api: ApiServer) -> str:
    listed = (await api.client.get("/api/v1/platforms")).json()["data"]["items"]
    return next(str(one["auth"]["state"]) for one in listed if one["id"] == "xhs")


@pytest.mark.parametrize("state", ["ok", "expired", "unknown"])
async def test_a_platform_says_how_its_default_account_stands(api: ApiServer, state: str) -> None:
    before = await platform_state(api)
    made = await add(api)
    await api.account_store.note_state(made["account_id"], AuthState(state))
    await api.accounts.refresh()

    assert (before, await platform_state(api)) == ("missing", state)


async def test_a_session_that_has_ended_counts_as_expired(api: ApiServer, clock: Clock) -> None:
    made = await add(api)
    await api.account_store.note_state(made["account_id"], AuthState.OK, expires_at=clock.now() - timedelta(seconds=1))
    await api.accounts.refresh()

    assert await platform_state(api) == "expired"


async def test_a_new_task_is_told_that_the_login_has_ended(api: ApiServer) -> None:
    made = await add(api)
    await api.account_store.note_state(made["account_id"], AuthState.EXPIRED)
    await api.accounts.refresh()

    notice = api.accounts.notice_of("xhs")

    assert notice is not None
    assert notice.code == "NEEDS_LOGIN"
    assert "我的号" in notice.message.zh


# -- logins ------------------------------------------------------------------------------------------------------


async def test_a_login_streams_its_code_and_its_end(api: ApiServer, visit: ScriptedVisit) -> None:
    opened = (await api.client.post(LOGIN)).json()["data"]
    frames = []
    async with following(api) as stream:
        async for name, data in stream:
            frames.append((name, data.get("state") or data["kind"]))
            if name == "qr":
                visit.go_on.set()

    account = (await api.client.get(ACCOUNTS)).json()["data"]["items"][0]
    assert opened["platform"] == "xhs"
    assert frames[-3:] == [("state", "waiting"), ("qr", "qr"), ("state", "done")]
    assert (account["state"], account["label"], account["has_cookies"]) == ("ok", "默认账号", True)
    assert [one["what"] for one in account["history"]] == ["created", "login"]
    assert await platform_state(api) == "ok"


async def test_a_caller_who_leaves_ends_the_login(api: ApiServer, visit: ScriptedVisit) -> None:
    api.accounts.desk._limits = replace(api.accounts.desk._limits, unseen_s=0.05)
    await api.client.post(LOGIN)
    login = api.accounts.desk.of("xhs", "default")
    async with following(api) as stream:
        await anext(stream)
    assert login.task is not None

    await asyncio.wait({login.task}, timeout=30)

    assert login.state.value == "cancelled"
    assert (await api.client.get(ACCOUNTS)).json()["data"]["items"] == []


async def test_delete_answers_when_the_page_is_closed(api: ApiServer, visit: ScriptedVisit) -> None:
    opened = (await api.client.post(LOGIN)).json()["data"]
    await visit.is_waiting.wait()

    ended = (await api.client.delete(LOGIN)).json()["data"]

    assert ended == {"login_id": opened["login_id"], "deleted": True}
    assert (visit.opened, visit.closed) == (1, 1)


async def test_a_second_login_of_the_account_is_refused(api: ApiServer) -> None:
    await api.client.post(LOGIN)

    assert (await api.client.post(LOGIN)).json()["code"] == 40901


async def test_an_account_is_not_removed_while_it_is_logged_in(api: ApiServer) -> None:
    made = await add(api)
    await api.client.post(LOGIN)

    assert (await api.client.delete(f"{ACCOUNTS}/{made['account_id']}")).json()["code"] == 40901


@pytest.mark.parametrize(("path", "query"), [("/web/login", {}), ("/xhs/login", {"account": "acc_none"})])
async def test_a_login_of_nothing_is_not_found(api: ApiServer, path: str, query: dict[str, str]) -> None:
    assert (await api.client.get(f"{ACCOUNTS}{path}", params=query)).json()["code"] == 40402
    assert (await api.client.post(f"{ACCOUNTS}{path}", json=query)).json()["code"] == 40402


# -- what never goes out -----------------------------------------------------------------------------------------


async def test_a_session_is_in_no_answer_log_event_export_or_document(
    api: ApiServer, visit: ScriptedVisit, database: Database
) -> None:
    heard: list[str] = []

    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        answer = await api.client.request(method, path, **more)
        heard.append(answer.text + str(answer.headers))
        return answer

    with captured_log() as lines:
        made = (await ask("POST", ACCOUNTS, json={**NEW, "cookies": COOKIE_LINE})).json()["data"]
        one = f"{ACCOUNTS}/{made['account_id']}"
        for bad in ({**NEW, "cookies": COOKIE_LINE}, {"cookies": COOKIE_LINE}, {**NEW, "cookies": [SECRET]}):
            await ask("POST", ACCOUNTS, json=bad)
        await ask("POST", ACCOUNTS, content=f'{{"cookies": "{SECRET}", ', headers={"Content-Type": "application/json"})
        await ask("PATCH", one, json={"cookies": COOKIE_LINE, "label": "b"})
        await ask("PATCH", one, json={"cookies": f"x={SECRET}"})
        await ask("GET", one, params={"cookies": SECRET})
        await ask("POST", f"{one}/check")
        await ask("POST", LOGIN, json={"account": made["account_id"]})
        visit.go_on.set()
        await ask("GET", LOGIN, params={"account": made["account_id"]})
        task = (await ask("POST", "/api/v1/tasks", json={"platform": "xhs", "params": {"keywords": ["露营"]}})).json()
        for path in ("", "/logs", "/history", "/export?format=jsonl"):
            await ask("GET", f"/api/v1/tasks/{task['data']['task_id']}{path}")
        for path in ("/tasks", "/platforms", "/accounts", "/system", "/items", "/items/export?format=csv"):
            await ask("GET", f"/api/v1{path}")
        await ask("GET", "/openapi.json")
        await ask("GET", "/health")

    stored = json.dumps(
        [
            await database.do(database.collection(name).find({}).to_list(None))
            for name in ("accounts", "tasks", "events", "items", "challenges", "installation")
        ],
        default=json_util.default,
    )
    files = [one.read_bytes() for one in api.folder.rglob("*") if one.is_file()]
    # The client of the test tells of its own requests.
    ours = [line for line in lines if " httpx:" not in line]
    assert len(ours) > 20
    assert [text for text in (*heard, *ours, stored) if SECRET in text] == []
    assert [data for data in files if SECRET.encode() in data] == []


async def test_the_schema_says_that_cookies_only_come_in(api: ApiServer) -> None:
    document = (await api.client.get("/openapi.json")).json()

    schemas = document["components"]["schemas"]
    given = schemas["AccountCreate"]["properties"]["cookies"]
    assert "writeOnly" in json.dumps(given)
    assert "cookies" not in schemas["AccountOut"]["properties"]
    assert {f"{ACCOUNTS}/{{platform}}/login", f"{ACCOUNTS}/{{account_id}}/check"} <= document["paths"].keys()
