"""Users, their sessions and their tokens, over a real socket."""

import asyncio

import pytest

from backend.api.sessions import UserSessions
from backend.core.logs import captured_log
from backend.domain.user import Role, User
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi
from tests.fixtures.people import PASSWORD, Team, team_of

AUTH_TOKEN = "correct-horse-battery"
TASKS, USERS, TOKENS, ME, LOGIN = (f"/api/v1/{one}" for one in ("tasks", "users", "tokens", "me", "login"))


async def log_in(api: ApiServer, name: str = "bo", password: str = PASSWORD) -> str:
    """Sign in and return what a write needs; the client keeps the cookies."""
    answer = await api.client.post(LOGIN, json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["xsrf_token"])


async def test_without_users_everybody_is_local_and_an_admin(api: ApiServer) -> None:
    me = (await api.client.get(ME)).json()["data"]
    task = await api.create()

    assert (me["name"], me["role"], me["via"], me["user_id"]) == ("local", "admin", "open", None)
    assert task["created_by"] == "local"


async def test_first_user_shuts_the_open_door(api: ApiServer) -> None:
    made = await api.client.post(USERS, json={"name": "安娜", "password": PASSWORD})

    answer = await api.client.get(TASKS)

    assert (made.status_code, made.json()["data"]["role"]) == (200, "admin")
    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


async def test_first_user_must_be_an_admin(api: ApiServer) -> None:
    answer = await api.client.post(USERS, json={"name": "bo", "password": PASSWORD, "role": "member"})

    assert (answer.status_code, answer.json()["code"]) == (409, 40901)
    assert (await api.client.get(TASKS)).status_code == 200


async def test_session_of_a_user_reads_and_writes_in_their_name(api: ApiServer) -> None:
    await team_of(api)
    xsrf = await log_in(api)

    me = (await api.client.get(ME)).json()["data"]
    made = await api.client.post(TASKS, json=WEB_TASK, headers={"X-XSRF-Token": xsrf})
    bare = await api.client.post(TASKS, json=WEB_TASK)

    assert (me["name"], me["role"], me["via"]) == ("bo", "member", "user")
    assert made.json()["data"]["created_by"] == "bo"
    assert (bare.status_code, bare.json()["code"]) == (403, 40304)


async def test_form_signs_a_user_in_and_shows_what_was_wrong(api: ApiServer) -> None:
    await team_of(api)
    page = (await api.client.get("/login")).text

    wrong = await api.client.post("/login", data={"name": "bo", "password": "wrong", "next": "/tasks"})
    right = await api.client.post("/login", data={"name": "Bo ", "password": PASSWORD, "next": "/tasks"})

    assert 'name="password"' in page
    assert "AUTH_TOKEN" not in page
    assert (wrong.status_code, 'value="bo"' in wrong.text, 'value="wrong"' in wrong.text) == (401, True, False)
    assert (right.status_code, right.headers["Location"]) == (303, "/tasks")
    assert (await api.client.get(ME)).json()["data"]["name"] == "bo"


async def test_auth_token_goes_on_working_beside_users(start_api: StartApi) -> None:
    api = await start_api(auth_token=AUTH_TOKEN)
    await team_of(api)

    by_header = await api.client.get(ME, headers={"Authorization": f"Bearer {AUTH_TOKEN}"})
    page = (await api.client.get("/login")).text
    await api.client.post("/login", data={"token": AUTH_TOKEN})
    by_session = await api.client.get(ME)

    for answer in (by_header, by_session):
        me = answer.json()["data"]
        assert (me["name"], me["role"], me["via"]) == ("token", "admin", "token")
    assert 'name="token"' in page
    assert 'name="password"' in page


@pytest.mark.parametrize(
    ("change", "status"),
    [({"password": "another-long-one", "role": "member"}, 409), ({"password": "short", "is_disabled": False}, 422)],
)
async def test_refused_change_of_a_user_changes_nothing(api: ApiServer, change: dict[str, object], status: int) -> None:
    team = await team_of(api)

    answer = await api.client.patch(f"{USERS}/{team.ids['anna']}", json=change, headers=team.as_("anna"))

    assert answer.status_code == status
    assert (await api.client.get(ME, headers=team.as_("anna"))).status_code == 200
    assert [one.what for one in (await api.users.get(team.ids["anna"])).history] == ["created"]
    await log_in(api, "anna")


@pytest.mark.parametrize("way", ["disable", "reset", "remove", "own password"])
async def test_sessions_of_a_user_end_at_once(api: ApiServer, way: str) -> None:
    team = await team_of(api)
    xsrf = await log_in(api)
    before = (await api.client.get(ME)).status_code
    anna, user = team.as_("anna"), f"{USERS}/{team.ids['bo']}"
    if way == "disable":
        done = await api.client.patch(user, json={"is_disabled": True}, headers=anna)
    elif way == "reset":
        done = await api.client.patch(user, json={"password": "another-long-one"}, headers=anna)
    elif way == "remove":
        done = await api.client.delete(user, headers=anna)
    else:
        body = {"current_password": PASSWORD, "password": "another-long-one"}
        done = await api.client.patch(ME, json=body, headers={"X-XSRF-Token": xsrf})

    answer = await api.client.get(ME)

    assert (before, done.status_code, answer.status_code) == (200, 200, 401)


async def test_disabled_user_is_shut_out_and_let_in_again(api: ApiServer) -> None:
    team = await team_of(api)
    user = f"{USERS}/{team.ids['bo']}"
    await api.client.patch(user, json={"is_disabled": True}, headers=team.as_("anna"))
    shut = [
        (await api.client.get(TASKS, headers=team.as_("bo"))).status_code,
        (await api.client.post(LOGIN, json={"name": "bo", "password": PASSWORD})).status_code,
    ]
    await api.client.patch(user, json={"is_disabled": False}, headers=team.as_("anna"))

    open_again = (await api.client.get(TASKS, headers=team.as_("bo"))).status_code

    assert (shut, open_again) == ([401, 401], 200)


async def test_nothing_tells_whether_a_name_exists(api: ApiServer) -> None:
    team = await team_of(api)
    await api.users.set_disabled(team.ids["cy"], is_disabled=True, by="anna")

    said = []
    for name, password in (("nobody-here", PASSWORD), ("bo", "wrong-password"), ("cy", PASSWORD)):
        answer = await api.client.post(LOGIN, json={"name": name, "password": password})
        told = answer.json()
        told["error"].pop("request_id")
        said.append((answer.status_code, told))

    assert said[0] == said[1] == said[2]
    assert said[0][0] == 401


@pytest.mark.parametrize("name", ["bo", "nobody-here"])
async def test_guesses_of_a_name_are_counted_whoever_makes_them(start_api: StartApi, name: str) -> None:
    api = await start_api(trusted_proxies="127.0.0.1", allowed_hosts="media.lan")
    await team_of(api)
    codes = []
    for n in range(11):
        # Each from another address.
        answer = await api.client.post(
            LOGIN, json={"name": name.upper(), "password": f"guess-{n}"}, headers={"X-Forwarded-For": f"198.51.100.{n}"}
        )
        codes.append(answer.status_code)

    other = await api.client.post(
        LOGIN, json={"name": "anna", "password": PASSWORD}, headers={"X-Forwarded-For": "198.51.100.77"}
    )

    assert codes == [401] * 10 + [429]
    assert other.status_code == 200


async def test_right_passwords_are_no_failures(api: ApiServer) -> None:
    await team_of(api)

    codes = [(await api.client.post(LOGIN, json={"name": "bo", "password": PASSWORD})).status_code for _ in range(12)]

    assert codes == [200] * 12


async def test_token_is_shown_once_and_stored_as_a_hash(api: ApiServer) -> None:
    team = await team_of(api)
    with captured_log() as lines:
        made = await api.client.post(TOKENS, json={"label": "夜间脚本"}, headers=team.as_("bo"))
    secret = made.json()["data"]["token"]

    listed = (await api.client.get(TOKENS, headers=team.as_("bo"))).json()["data"]["items"]
    stored = await api.database.do(api.database.collection("tokens").find().to_list(None))

    assert (await api.client.get(ME, headers={"Authorization": f"Bearer {secret}"})).json()["data"]["name"] == "bo"
    assert [one["last_four"] for one in listed if one["label"] == "夜间脚本"] == [secret[-4:]]
    assert secret not in str(stored) + str(listed) + "".join(lines)
    assert secret.startswith("mcp_")
    assert len(secret) >= 47


async def test_token_is_removed_by_its_owner_alone(api: ApiServer) -> None:
    team = await team_of(api)
    mine = (await api.client.get(TOKENS, headers=team.as_("bo"))).json()["data"]["items"][0]["token_id"]

    by_other = await api.client.delete(f"{TOKENS}/{mine}", headers=team.as_("anna"))
    by_me = await api.client.delete(f"{TOKENS}/{mine}", headers=team.as_("bo"))

    assert (by_other.status_code, by_me.status_code) == (404, 200)
    assert (await api.client.get(ME, headers=team.as_("bo"))).status_code == 401


async def test_users_are_for_admins(api: ApiServer) -> None:
    team = await team_of(api)
    one = f"{USERS}/{team.ids['bo']}"
    calls = [("GET", USERS), ("POST", USERS), ("GET", one), ("PATCH", one), ("DELETE", one), ("GET", "/api/v1/audit")]

    codes = {
        (
            await api.client.request(verb, path, json={} if verb in {"POST", "PATCH"} else None, headers=team.as_("bo"))
        ).json()["code"]
        for verb, path in calls
    }

    assert codes == {40303}


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"role": "member"}, None])
async def test_last_admin_stays(api: ApiServer, change: dict[str, object] | None) -> None:
    team = await team_of(api)
    one = f"{USERS}/{team.ids['anna']}"

    verb = "DELETE" if change is None else "PATCH"
    answer = await api.client.request(verb, one, json=change, headers=team.as_("anna"))

    assert (answer.status_code, answer.json()["code"]) == (409, 40901)
    assert (await api.client.get(USERS, headers=team.as_("anna"))).status_code == 200


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [
        *((name, PASSWORD, "name") for name in ("local", "TOKEN", "a b", "-x", "x" * 33, "ａｎｎ", "a\u202eb", "<b>")),
        *(("dora", password, "password") for password in ("short", " " * 12, "x" * 201)),
        ("long-name-here", "Long-Name-Here", "password"),
    ],
)
async def test_bad_name_or_password_is_refused(api: ApiServer, name: str, password: str, field: str) -> None:
    answer = await api.client.post(USERS, json={"name": name, "password": password})

    assert answer.json()["code"] == 42201
    assert [one["path"] for one in answer.json()["error"]["fields"]] == [field]
    assert password not in answer.text


@pytest.mark.parametrize("name", ["bo", "BO", "cy"])
async def test_name_is_never_given_twice_not_even_of_one_who_left(api: ApiServer, name: str) -> None:
    team = await team_of(api)
    await api.client.delete(f"{USERS}/{team.ids['cy']}", headers=team.as_("anna"))

    answer = await api.client.post(USERS, json={"name": name, "password": PASSWORD}, headers=team.as_("anna"))

    assert (answer.status_code, answer.json()["code"]) == (409, 40904)


async def test_no_password_reaches_an_answer_a_log_or_the_store(api: ApiServer) -> None:
    with captured_log() as lines:
        team = await team_of(api)
        await log_in(api)
        await api.client.post(LOGIN, json={"name": "bo", "password": f"{PASSWORD}-wrong"})
        listed = await api.client.get(USERS, headers=team.as_("anna"))
    stored = await api.database.do(api.database.collection("users").find().to_list(None))

    told = "".join(line for line in lines if "httpx:" not in line) + listed.text + str(stored)
    assert PASSWORD not in told
    assert "scrypt" not in listed.text
    assert api.client.cookies["mcp_session"] not in told


async def test_changes_are_written_down_with_who_made_them(api: ApiServer) -> None:
    team = await team_of(api)
    await api.client.patch(f"{USERS}/{team.ids['bo']}", json={"role": "admin"}, headers=team.as_("anna"))

    entries = (await api.client.get("/api/v1/audit", headers=team.as_("anna"))).json()["data"]["items"]
    history = (await api.client.get(f"{USERS}/{team.ids['bo']}", headers=team.as_("anna"))).json()["data"]["history"]

    assert (entries[0]["what"], entries[0]["by"], entries[0]["subject"]) == ("user.role_set", "anna", team.ids["bo"])
    assert [(one["what"], one["by"]) for one in history] == [("created", "local"), ("role_set", "anna")]


async def test_entries_name_a_person_who_is_gone(api: ApiServer) -> None:
    team = await team_of(api)
    one, headers = f"{USERS}/{team.ids['bo']}", team.as_("anna")
    for change in ({"role": "admin"}, {"password": f"{PASSWORD}-2"}, {"is_disabled": True}, {"is_disabled": False}):
        await api.client.patch(one, json=change, headers=headers)
    await api.client.delete(one, headers=headers)

    entries = (await api.client.get("/api/v1/audit", headers=headers)).json()["data"]["items"]

    # Without their order: two of one millisecond have none.
    assert {(entry["what"], entry["subject_name"]) for entry in entries if entry["subject"] == team.ids["bo"]} == {
        (f"user.{what}", "bo") for what in ("created", "role_set", "password_reset", "disabled", "enabled", "removed")
    }


async def test_entry_about_no_person_names_none(api: ApiServer) -> None:
    team = await team_of(api)

    entries = (await api.client.get("/api/v1/audit", headers=team.as_("anna"))).json()["data"]["items"]

    assert {entry["subject_name"] for entry in entries if entry["what"] == "token.created"} == {None}


async def test_entries_are_read_page_by_page_and_of_one_person(api: ApiServer) -> None:
    team = await team_of(api)
    await api.users.set_role(team.ids["bo"], Role.ADMIN, by="anna")
    await api.users.set_role(team.ids["bo"], Role.MEMBER, by="cy")
    audit, headers = "/api/v1/audit", team.as_("anna")
    everything = (await api.client.get(audit, headers=headers)).json()["data"]

    first = (await api.client.get(f"{audit}?limit=5", headers=headers)).json()["data"]
    rest = (await api.client.get(f"{audit}?limit=5&cursor={first['next_cursor']}", headers=headers)).json()["data"]
    of_cy = (await api.client.get(audit, params={"by": "cy"}, headers=headers)).json()["data"]["items"]

    assert (len(first["items"]), first["items"] + rest["items"]) == (5, everything["items"])
    assert (rest["next_cursor"], everything["next_cursor"]) == (None, None)
    assert [(one["what"], one["detail"]) for one in of_cy] == [("user.role_set", "member"), ("token.created", "cy")]


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=1001", "by=", "who=bo"])
async def test_bad_query_of_the_entries_is_refused(api: ApiServer, query: str) -> None:
    answer = await api.client.get(f"/api/v1/audit?{query}")

    assert answer.json()["code"] == (40002 if query.startswith("cursor") else 42201)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("anna", {"manage_users", "read_audit", "change_all_tasks", "make_tokens"}),
        ("bo", {"make_tokens"}),
    ],
)
async def test_me_tells_what_the_caller_may_do(api: ApiServer, name: str, may: set[str]) -> None:
    team = await team_of(api)

    by_token = (await api.client.get(ME, headers=team.as_(name))).json()["data"]["can"]
    await log_in(api, name)
    by_session = (await api.client.get(ME)).json()["data"]["can"]

    assert {what for what, is_allowed in by_token.items() if is_allowed} == may
    assert {what for what, is_allowed in by_session.items() if is_allowed} == {*may, "set_password"}


async def test_local_may_do_all_that_needs_no_name(api: ApiServer) -> None:
    can = (await api.client.get(ME)).json()["data"]["can"]

    assert can == {
        **{"manage_users": True, "read_audit": True, "change_all_tasks": True},
        **{"set_password": False, "make_tokens": False},
    }


async def test_tasks_of_one_who_was_removed_keep_their_name_and_their_token_opens_nothing(api: ApiServer) -> None:
    team = await team_of(api)
    task_id = await team.make("bo")

    gone = await api.client.delete(f"{USERS}/{team.ids['bo']}", headers=team.as_("anna"))
    again = await api.client.delete(f"{USERS}/{team.ids['bo']}", headers=team.as_("anna"))

    assert gone.json()["data"] == {"user_id": team.ids["bo"], "deleted": True}
    assert again.json()["code"] == 40402
    assert (await api.client.get(TASKS, headers=team.as_("bo"))).status_code == 401
    task = (await api.client.get(f"{TASKS}/{task_id}", headers=team.as_("anna"))).json()["data"]
    assert (task["created_by"], task["status"]) == ("bo", "held")
    listed = (await api.client.get(USERS, headers=team.as_("anna"))).json()["data"]["items"]
    assert [one["name"] for one in listed] == ["anna", "cy"]


async def test_change_made_elsewhere_is_seen_when_looked_for(api: ApiServer) -> None:
    team = await team_of(api)
    await api.user_store.set_disabled(team.ids["bo"], is_disabled=True, by="another server")

    await api.directory.refresh()

    assert (await api.client.get(ME, headers=team.as_("bo"))).status_code == 401


async def test_look_that_began_before_a_change_does_not_undo_it(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await team_of(api)
    read, go_on, real = asyncio.Event(), asyncio.Event(), api.user_store.list

    async def list_slowly() -> list[User]:
        rows = await real()
        monkeypatch.setattr(api.user_store, "list", real)
        read.set()
        await go_on.wait()
        return rows

    monkeypatch.setattr(api.user_store, "list", list_slowly)
    looking = asyncio.create_task(api.directory.refresh())
    await read.wait()
    changing = asyncio.create_task(_shut_out(api, team.ids["bo"]))
    # The look is held for as long as the change would need if it did not wait for it.
    await asyncio.wait({changing}, timeout=0.5)
    go_on.set()
    await asyncio.gather(looking, changing)

    assert (await api.client.get(ME, headers=team.as_("bo"))).status_code == 401


async def _shut_out(api: ApiServer, user_id: str) -> None:
    await api.user_store.set_disabled(user_id, is_disabled=True, by="anna")
    await api.directory.refresh()


async def test_session_signed_with_another_key_or_epoch_opens_nothing(api: ApiServer) -> None:
    team: Team = await team_of(api)
    key = api.directory.session_key
    assert key is not None
    forged = [
        UserSessions(b"another key" * 3, now=api.clock.now).issue(team.ids["bo"], 1),
        UserSessions(key, now=api.clock.now).issue(team.ids["bo"], 2),
        UserSessions(key, now=api.clock.now).issue("u_0123456789abcdef", 1),
    ]
    good = UserSessions(key, now=api.clock.now).issue(team.ids["bo"], 1)

    codes = [
        (await api.client.get(ME, headers={"Cookie": f"mcp_session={one}"})).status_code for one in (*forged, good)
    ]

    assert codes == [401, 401, 401, 200]


async def test_logout_clears_the_session(api: ApiServer) -> None:
    await team_of(api)
    await log_in(api)

    answer = await api.client.post("/api/v1/logout")

    assert answer.json()["data"] == {"signed_out": True}
    assert (await api.client.get(ME)).status_code == 401


async def test_roles_of_members_are_no_promise_of_the_request(api: ApiServer) -> None:
    team = await team_of(api)
    await api.users.set_role(team.ids["bo"], Role.ADMIN, by="anna")

    assert (await api.client.get(ME, headers=team.as_("bo"))).json()["data"]["role"] == "admin"
