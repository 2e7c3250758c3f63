"""Whose tasks a caller sees and changes, on every route there is."""

import asyncio

import pytest

from backend.api.app import ROUTES
from backend.domain.item import Item
from backend.domain.task import Lease
from backend.domain.user import Caller
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi
from tests.fixtures.people import Team, team_of

TASKS = "/api/v1/tasks"
STREAM = "/api/v1/stream"
# Every route of the API with the name of a task in it, found in the table: a new one cannot be forgotten.
OF_ONE_TASK = [(verb.upper(), route.path) for route in ROUTES if "{task_id}" in route.path for verb in route.operations]
READS = {"GET", "HEAD"}


async def team(start_api: StartApi, visibility: str) -> Team:
    return await team_of(await start_api(task_visibility=visibility))


def path_of(route: str, task_id: str) -> str:
    query = "?format=json" if route.endswith("/export") else ""
    return route.replace("{task_id}", task_id).replace("{picture}", "qr") + query


def test_routes_of_one_task_are_all_known_by_that_name() -> None:
    below = [route.path for route in ROUTES if route.path.startswith(f"{TASKS}/") and "{" in route.path]

    assert len(below) >= 11
    assert [path for path in below if not path.startswith(f"{TASKS}/{{task_id}}")] == []


async def test_own_visibility_hides_others_tasks_on_every_route(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    task_id = await team_.make("bo")

    found = {}
    for verb, route in OF_ONE_TASK:
        answer = await team_.api.client.request(verb, path_of(route, task_id), headers=team_.as_("cy"))
        found[f"{verb} {route}"] = (answer.status_code, answer.json()["code"] if verb != "HEAD" else 40401)

    assert {one: seen for one, seen in found.items() if seen != (404, 40401)} == {}
    assert (await team_.api.client.get(f"{TASKS}/{task_id}", headers=team_.as_("bo"))).json()["data"]["version"] == 1


async def test_hidden_task_is_told_as_one_that_never_was(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    task_id = await team_.make("bo")

    hidden = (await team_.api.client.get(f"{TASKS}/{task_id}", headers=team_.as_("cy"))).json()
    missing = (await team_.api.client.get(f"{TASKS}/{task_id[:-4]}none", headers=team_.as_("cy"))).json()

    for one, its_id in ((hidden, task_id), (missing, f"{task_id[:-4]}none")):
        one["error"].pop("request_id")
        one["message"] = one["message"].replace(its_id, "X")
    assert hidden == missing


async def test_team_visibility_shows_and_keeps_others_tasks_on_every_route(start_api: StartApi) -> None:
    team_ = await team(start_api, "team")
    task_id = await team_.make("bo")

    refused: dict[str, int] = {}
    read: dict[str, int] = {}
    for verb, route in OF_ONE_TASK:
        answer = await team_.api.client.request(verb, path_of(route, task_id), headers=team_.as_("cy"))
        kept = read if verb in READS else refused
        kept[f"{verb} {route}"] = answer.status_code

    assert set(refused.values()) == {403}
    # The challenge is not there; nothing else is refused.
    assert {one for one, status in read.items() if status != 200} <= {one for one in read if "challenge" in one}
    record = (await team_.api.client.get(f"{TASKS}/{task_id}", headers=team_.as_("cy"))).json()["data"]
    assert (record["created_by"], record["status"]) == ("bo", "held")


@pytest.mark.parametrize("name", ["bo", "anna"])
@pytest.mark.parametrize("visibility", ["team", "own"])
async def test_maker_and_admin_cancel_and_purge_and_are_named(start_api: StartApi, name: str, visibility: str) -> None:
    team_ = await team(start_api, visibility)
    task_id = await team_.make("bo")

    gone = await team_.api.client.delete(f"{TASKS}/{task_id}", headers=team_.as_(name))
    again = await team_.api.client.post(f"{TASKS}/{task_id}/retry", headers=team_.as_(name))
    purged = await team_.api.client.delete(f"{TASKS}/{task_id}?purge=1", headers=team_.as_(name))

    assert gone.json()["data"]["cancel"]["requested_by"] == name
    assert gone.json()["data"]["history"][-1]["by"] == name
    assert again.json()["data"]["created_by"] == name
    assert purged.json()["data"]["purged"] is True
    kept = (await team_.api.audit.newest(limit=1)).entries[0]
    assert (kept.what, kept.by, kept.subject) == ("task.purged", name, task_id)


async def test_own_visibility_narrows_lists_and_facets(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    mine, other = await team_.make("bo"), await team_.make("cy")

    seen = {}
    for name in ("bo", "anna"):
        for query in ("facets=1", f"ids={mine},{other}&facets=1", "created_by=cy&facets=1"):
            data = (await team_.api.client.get(f"{TASKS}?{query}", headers=team_.as_(name))).json()["data"]
            seen[name, query.split("=")[0]] = ({one["task_id"] for one in data["items"]}, data["facets"]["status"])

    assert seen["bo", "facets"] == seen["bo", "ids"] == ({mine}, {"held": 1})
    assert seen["bo", "created_by"] == (set(), {})
    assert seen["anna", "facets"] == seen["anna", "ids"] == ({mine, other}, {"held": 2})
    assert seen["anna", "created_by"] == ({other}, {"held": 1})


@pytest.mark.parametrize("visibility", ["team", "own"])
async def test_member_cancels_of_a_set_what_they_made(start_api: StartApi, visibility: str) -> None:
    team_ = await team(start_api, visibility)
    mine, other = await team_.make("bo"), await team_.make("cy")

    told = (await team_.api.client.delete(f"{TASKS}?status=active", headers=team_.as_("bo"))).json()["data"]
    of_other = (await team_.api.client.delete(f"{TASKS}?created_by=cy", headers=team_.as_("bo"))).json()["data"]

    assert (told["matched"], of_other["matched"]) == (1, 0)
    status = {one: (await team_.api.tasks.get(one)).status.value for one in (mine, other)}
    assert status == {mine: "cancelled", other: "held"}


async def test_own_visibility_narrows_exports_and_files(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    api = team_.api
    task_id = await team_.make("bo")
    await api.items.upsert_many(Lease(task_id, "w", 1), [_item(task_id, api)])
    async with api.artifacts.part(".bin") as path:
        path.write_bytes(b"made by bo")
        made = await api.artifacts.adopt(
            Lease(task_id, "w", 1), path, task_id=task_id, name="a.bin", role="output", media_type="a/b"
        )

    exported, files = {}, {}
    for name in ("bo", "cy", "anna"):
        export = await api.client.get("/api/v1/items/export?format=json", headers=team_.as_(name))
        exported[name] = len(export.json())
        file = await api.client.get(f"/api/v1/artifacts/{made.artifact_id}", headers=team_.as_(name))
        files[name] = file.status_code

    assert exported == {"bo": 1, "cy": 0, "anna": 1}
    assert files == {"bo": 200, "cy": 404, "anna": 200}
    kept = (await api.audit.newest(limit=10)).entries
    assert {entry.by for entry in kept if entry.what == "export"} == {"bo", "cy", "anna"}


@pytest.mark.parametrize(("visibility", "status"), [("own", 422), ("team", 200)])
async def test_new_task_reads_no_results_that_its_maker_may_not_see(
    start_api: StartApi, visibility: str, status: int
) -> None:
    team_ = await team(start_api, visibility)
    task_id = await team_.make("bo")
    body = {"platform": "xhs", "params": {"keywords": ["露营"], "from_task": task_id}, "start": "manual"}

    found = {}
    for name in ("bo", "cy", "anna"):
        one = await team_.api.client.post(TASKS, json=body, headers=team_.as_(name))
        many = await team_.api.client.post(f"{TASKS}/bulk", json={"tasks": [body]}, headers=team_.as_(name))
        found[name] = (one.status_code, "task_id" in many.json()["data"]["items"][0])

    assert found == {"bo": (200, True), "cy": (status, status == 200), "anna": (200, True)}


async def test_hidden_source_is_told_as_one_that_never_was(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    hidden = await team_.make("bo")

    told = []
    for source in (hidden, "t_none"):
        body = {"platform": "xhs", "params": {"keywords": ["露营"], "from_task": source}}
        answer = (await team_.api.client.post(TASKS, json=body, headers=team_.as_("cy"))).json()
        told.append(answer["error"]["fields"])

    assert told[0] == told[1]
    assert (told[0][0]["path"], told[0][0]["code"]) == ("params.from_task", "NOT_FOUND")


async def test_own_visibility_hides_others_tasks_in_the_stream(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    other = await team_.make("cy")
    refused = [
        (await team_.api.client.get(f"{STREAM}?topics={topic}:{other}", headers=team_.as_("bo"))).status_code
        for topic in ("task", "logs")
    ]

    async with team_.api.client.stream("GET", STREAM, headers=team_.as_("bo")) as answer:
        unseen, mine = await team_.make("cy"), await team_.make("bo")
        read = ""
        async with asyncio.timeout(30):
            async for chunk in answer.aiter_text():
                read += chunk
                if mine in read:
                    break

    assert refused == [404, 404]
    assert unseen not in read


async def test_stream_is_not_opened_for_who_is_disabled_meanwhile(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    team_ = await team(start_api, "own")
    mine = await team_.make("bo")
    access, real = team_.api.services.access, team_.api.services.access.check

    async def check(task_id: str, caller: Caller, *, is_change: bool) -> None:
        await real(task_id, caller, is_change=is_change)
        await team_.api.users.set_disabled(team_.ids["bo"], is_disabled=True, by="anna")

    monkeypatch.setattr(access, "check", check)
    async with team_.api.client.stream("GET", f"{STREAM}?topics=task:{mine}", headers=team_.as_("bo")) as answer:
        status = answer.status_code

    assert (status, len(team_.api.app.streams)) == (401, 0)


async def test_stream_of_a_disabled_user_ends_at_once(start_api: StartApi) -> None:
    team_ = await team(start_api, "team")

    async with team_.api.client.stream("GET", STREAM, headers=team_.as_("bo")) as answer:
        await team_.api.users.set_disabled(team_.ids["bo"], is_disabled=True, by="anna")
        async with asyncio.timeout(30):
            async for _ in answer.aiter_raw():
                pass

    assert answer.status_code == 200
    assert len(team_.api.app.streams) == 0


async def test_members_with_own_visibility_are_not_told_what_runs(start_api: StartApi) -> None:
    team_ = await team(start_api, "own")
    task_id = await team_.make("bo", start="now")

    seen = {
        name: (await team_.api.client.get("/api/v1/system", headers=team_.as_(name))).json()["data"]["live"]["tasks"]
        for name in ("cy", "anna")
    }

    assert seen["cy"] == []
    assert set(seen["anna"]) <= {task_id}


async def test_same_key_of_two_people_makes_two_tasks_and_two_batches(start_api: StartApi) -> None:
    team_ = await team(start_api, "team")
    key = {"Idempotency-Key": "the-same"}
    body = {"tasks": [WEB_TASK]}

    single = [
        (await team_.api.client.post(TASKS, json=WEB_TASK, headers={**team_.as_(name), **key})).json()["data"][
            "task_id"
        ]
        for name in ("bo", "cy", "bo")
    ]
    batches = [
        (await team_.api.client.post(f"{TASKS}/bulk", json=body, headers={**team_.as_(name), **key})).json()["data"]
        for name in ("bo", "cy", "bo")
    ]

    assert single[0] == single[2] != single[1]
    ids = [one["batch_id"] for one in batches]
    assert ids[0] == ids[2] != ids[1]


def _item(task_id: str, api: ApiServer) -> Item:
    url = "https://docs.example.org/x"
    return Item(*(task_id, "web", "page", url, url, "A", "text", api.clock.now(), "sha256:x", "html:text"))
