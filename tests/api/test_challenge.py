import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import NeedsPersonError
from backend.domain.execution import TaskContext
from backend.domain.task import Ending
from backend.domain.text import Text
from backend.runner import person
from tests.fixtures.api_server import ApiServer, StartApi
from tests.fixtures.pictures import JPEG, png
from tests.fixtures.scripted import DONE

SCAN = Challenge(ChallengeKind.QR, screenshot=JPEG, qr=png(), page_url="https://www.example.org/login?token=x")


class Person:
    """Solves it when told; `shown` is what the page shows next."""

    def __init__(self, challenge: Challenge = SCAN) -> None:
        self.challenge = challenge
        self.shown: Challenge | None = None
        self.is_done = False

    async def is_solved(self) -> bool:
        return self.is_done

    async def refresh(self) -> Challenge | None:
        return self.shown

    async def need(self, context: TaskContext) -> Ending:
        await context.wait_for_person(self.challenge, self.is_solved, refresh=self.refresh)
        return DONE


async def refuse(context: TaskContext) -> Ending:
    raise NeedsPersonError("NEEDS_LOGIN", Text("需要登录", "Log in"), challenge=SCAN)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "_ASK_EVERY_S", 0.01)


async def until(api: ApiServer, task_id: str, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            record: dict[str, Any] = (await api.client.get(f"/api/v1/tasks/{task_id}")).json()["data"]
            if is_so(record):
                return record
            await api.client.get(f"/api/v1/tasks/{task_id}?wait=5&until=changed")


async def asked(api: ApiServer, script: Callable[[TaskContext], Awaitable[Ending]]) -> dict[str, Any]:
    """Start a task and bring it to where a person is needed."""
    api.bench.executor.script = script
    task_id = (await api.create(start="now"))["task_id"]
    return await until(api, task_id, lambda record: record["notice"] is not None)


async def test_challenge_of_a_running_task_is_shown_with_its_pictures(api: ApiServer) -> None:
    who = Person()
    record = await asked(api, who.need)
    path = f"/api/v1/tasks/{record['task_id']}/challenge"

    answer = await api.client.get(path)

    shown = answer.json()["data"]
    assert (record["status"], record["progress"]["stage"]) == ("running", "needs_person")
    assert record["notice"]["code"] == "NEEDS_LOGIN"
    assert set(shown) == {"kind", "screenshot_url", "qr_url", "page_url", "since"}
    assert (shown["kind"], shown["page_url"]) == ("qr", "https://www.example.org/login")
    assert shown["qr_url"].startswith(f"{path}/qr?v=")
    assert answer.headers["Cache-Control"] == "no-store"
    who.is_done = True


@pytest.mark.parametrize(
    ("which", "media_type", "content"), [("screenshot", "image/jpeg", JPEG), ("qr", "image/png", png())]
)
async def test_picture_is_sent_as_what_it_is_and_kept_by_nobody(
    api: ApiServer, which: str, media_type: str, content: bytes
) -> None:
    record = await asked(api, refuse)
    shown = (await api.client.get(f"/api/v1/tasks/{record['task_id']}/challenge")).json()["data"]

    answer = await api.client.get(shown[f"{which}_url"])

    assert (answer.status_code, answer.content) == (200, content)
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (media_type, "no-store")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_waiting_task_shows_its_challenge_until_it_is_resumed(api: ApiServer) -> None:
    record = await asked(api, refuse)
    path = f"/api/v1/tasks/{record['task_id']}"
    assert record["status"] == "waiting"
    assert (await api.client.get(f"{path}/challenge")).status_code == 200
    who = Person()
    api.bench.executor.script = who.need
    who.is_done = True

    await api.client.post(f"{path}/resume")

    ended = await until(api, record["task_id"], lambda one: one["is_final"])
    assert ended["status"] == "succeeded"
    assert (await api.client.get(f"{path}/challenge")).json()["code"] == 40402
    assert await stored(api) == 0


async def test_resume_of_a_held_back_server_removes_the_challenge_at_once(api: ApiServer) -> None:
    record = await asked(api, refuse)
    api.bench.runner.is_draining = True

    await api.client.post(f"/api/v1/tasks/{record['task_id']}/resume")

    assert await stored(api) == 0
    api.bench.runner.is_draining = False


async def test_cancelled_waiting_task_leaves_no_challenge(api: ApiServer) -> None:
    record = await asked(api, refuse)

    await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    assert await stored(api) == 0


async def test_purged_task_has_no_challenge_to_be_found(api: ApiServer) -> None:
    record = await asked(api, refuse)
    path = f"/api/v1/tasks/{record['task_id']}"
    await api.client.delete(path)

    await api.client.delete(f"{path}?purge=1")

    assert (await api.client.get(f"{path}/challenge")).json()["code"] == 40401
    assert await stored(api) == 0


async def test_resume_while_the_page_is_open_is_a_conflict(api: ApiServer) -> None:
    who = Person()
    record = await asked(api, who.need)

    answer = await api.client.post(f"/api/v1/tasks/{record['task_id']}/resume")

    assert (answer.status_code, answer.json()["error"]["name"]) == (409, "STATE_CONFLICT")
    assert (await api.client.get(f"/api/v1/tasks/{record['task_id']}/challenge")).status_code == 200
    who.is_done = True


async def test_new_code_has_another_address_and_raises_the_version(api: ApiServer) -> None:
    who = Person()
    record = await asked(api, who.need)
    path = f"/api/v1/tasks/{record['task_id']}/challenge"
    before = (await api.client.get(path)).json()["data"]

    who.shown = replace(SCAN, qr=png(grey=7))

    await until(api, record["task_id"], lambda one: one["version"] > record["version"])
    async with asyncio.timeout(20):
        while (after := (await api.client.get(path)).json()["data"])["qr_url"] == before["qr_url"]:  # noqa: ASYNC110 - see `until`
            await asyncio.sleep(0.01)
    assert (await api.client.get(after["qr_url"])).content == png(grey=7)
    assert (after["screenshot_url"], after["since"]) == (before["screenshot_url"], before["since"])
    who.is_done = True


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/tasks/{held}/challenge", 40402),
        ("/api/v1/tasks/{held}/challenge/qr", 40402),
        ("/api/v1/tasks/t_none/challenge", 40401),
        ("/api/v1/tasks/t_none/challenge/qr", 40401),
        ("/api/v1/tasks/{waiting}/challenge/cookies", 40402),
        ("/api/v1/tasks/{waiting}/challenge?x=1", 42201),
        ("/api/v1/tasks/{waiting}/challenge/qr?x=1", 42201),
    ],
)
async def test_what_is_not_there_is_a_typed_error(api: ApiServer, path: str, code: int) -> None:
    held, waiting = (await api.create())["task_id"], (await asked(api, refuse))["task_id"]

    answer = await api.client.get(path.format(held=held, waiting=waiting))

    assert (answer.status_code, answer.json()["code"]) == (code // 100, code)


async def test_pictures_need_the_token_as_the_task_does(start_api: StartApi) -> None:
    api = await start_api(auth_token="a-token-of-sixteen-chars")
    who = {"Authorization": "Bearer a-token-of-sixteen-chars"}
    api.client.headers.update(who)
    record = await asked(api, refuse)
    shown = (await api.client.get(f"/api/v1/tasks/{record['task_id']}/challenge")).json()["data"]
    assert (await api.client.get(shown["qr_url"])).status_code == 200

    del api.client.headers["Authorization"]

    assert (await api.client.get(shown["qr_url"])).status_code == 401


async def stored(api: ApiServer) -> int:
    return int(await api.database.do(api.database.collection("challenges").count_documents({})))
