"""The login page: a form, a session cookie, and what the session may do."""

import re
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from backend.api.login.handlers import local_path
from backend.api.sessions import LIFETIME, Sessions
from backend.core.logs import captured_log
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi

TOKEN = "correct-horse-battery"
TASKS = "/api/v1/tasks"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
WEEK_S = 7 * 24 * 3600


async def log_in(api: ApiServer, token: str = TOKEN, **headers: str) -> httpx.Response:
    return await api.client.post("/login", data={"token": token, "next": "/tasks"}, headers=headers)


def cookies_of(answer: httpx.Response) -> "dict[str, Morsel[str]]":
    found: dict[str, Morsel[str]] = {}
    for line in answer.headers.get_list("set-cookie"):
        found.update(SimpleCookie(line))
    return found


async def logged_in(start_api: StartApi, **settings: Any) -> ApiServer:
    """Start a server whose client keeps a session's cookies, as a browser does."""
    api = await start_api(auth_token=TOKEN, **settings)
    answer = await log_in(api)
    assert answer.status_code == 303
    return api


def xsrf(api: ApiServer) -> dict[str, str]:
    return {"X-XSRF-Token": api.client.cookies["mcp_xsrf"]}


def session_header(session: str) -> dict[str, str]:
    return {"Cookie": f"mcp_session={session}"}


async def test_form_needs_no_token_and_loads_nothing(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.get("/login?next=/tasks%3Fq%3D%22%3E", headers={"Accept-Language": "zh-CN"})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<form method="post" action="/login">' in answer.text
    assert 'name="next" value="/tasks?q=&quot;&gt;"' in answer.text
    assert not re.search(r"<script|src=|https?:", answer.text)


async def test_policy_of_the_form_allows_its_own_style_only(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    policy = (await api.client.get("/login")).headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(("language", "title", "tag"), [("zh-CN", "登录 ", "zh-CN"), ("en", "Sign in to ", "en")])
async def test_form_speaks_the_readers_language(start_api: StartApi, language: str, title: str, tag: str) -> None:
    api = await start_api(auth_token=TOKEN)

    page = (await api.client.get("/login", headers={"Accept-Language": language})).text

    assert f'<html lang="{tag}">' in page
    assert f"<h1>{title}MediaCrawer Pro</h1>" in page


async def test_right_token_gives_both_cookies(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await log_in(api)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/tasks")
    cookies = cookies_of(answer)
    session, xsrf_cookie = cookies["mcp_session"], cookies["mcp_xsrf"]
    for one in (session, xsrf_cookie):
        assert (one["samesite"], one["path"], one["max-age"]) == ("Strict", "/", str(WEEK_S))
        assert (one["domain"], one["secure"]) == ("", "")
    assert (session["httponly"], xsrf_cookie["httponly"]) == (True, "")
    assert TOKEN not in answer.headers.get("set-cookie", "")


async def test_cookies_are_secure_behind_a_proxy_that_ends_tls(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN, allowed_hosts="media.lan", allowed_origins="https://media.lan")

    answer = await log_in(api, Host="media.lan", Origin="https://media.lan")

    assert answer.status_code == 303
    assert all(one["secure"] for one in cookies_of(answer).values())


async def test_form_sent_by_a_page_of_another_site_is_refused(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    for origin in ("https://evil.example", "null"):
        answer = await log_in(api, Origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, 40302)
        assert "set-cookie" not in answer.headers


async def test_form_under_a_strange_host_is_refused(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await log_in(api, Host="evil.example")

    assert (answer.status_code, answer.json()["code"]) == (403, 40301)


@pytest.mark.parametrize("token", ["wrong-token", "", "错误", "correct-horse-batter\x00y"])
async def test_wrong_token_shows_the_form_again(start_api: StartApi, token: str) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await log_in(api, token)

    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert 'name="next" value="/tasks"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_guesses_in_the_form_and_in_the_header_count_together(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    codes = [(await log_in(api, f"guess-{n}")).status_code for n in range(5)]
    for n in range(5):
        await api.client.get(TASKS, headers={"Authorization": f"Bearer guess-{n}"})

    answer = await log_in(api)

    assert codes == [401] * 5
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_session_outlasts_the_guesses_of_others(start_api: StartApi) -> None:
    api = await logged_in(start_api)
    for n in range(11):
        await log_in(api, f"guess-{n}")

    answer = await api.client.get(TASKS)

    assert answer.status_code == 200


async def test_form_beyond_4_kb_is_refused(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await log_in(api, "x" * 4_100)

    assert (answer.status_code, answer.json()["code"]) == (413, 41301)


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_anything_but_a_form_is_refused(start_api: StartApi, media_type: str) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.post("/login", content=f"token={TOKEN}", headers={"Content-Type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (415, 41501)


async def test_session_reads(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    for path in (TASKS, "/openapi.json", "/docs"):
        assert (await api.client.get(path)).status_code == 200


@pytest.mark.parametrize("given", [{}, {"X-XSRF-Token": ""}, {"X-XSRF-Token": "0" * 64}, {"X-XSRF-Token": "é"}])
async def test_write_of_a_session_without_the_xsrf_token_is_refused(start_api: StartApi, given: dict[str, str]) -> None:
    api = await logged_in(start_api)
    headers = [(name.encode(), value.encode()) for name, value in given.items()]

    answer = await api.client.post(TASKS, json=WEB_TASK, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, 40304)
    assert await api.stored() == 0


async def test_write_of_a_session_with_the_xsrf_token_is_done(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    made = await api.client.post(TASKS, json=WEB_TASK, headers=xsrf(api))
    gone = await api.client.delete(f"{TASKS}/{made.json()['data']['task_id']}", headers=xsrf(api))

    assert (made.status_code, gone.status_code) == (200, 200)
    assert gone.json()["data"]["status"] == "cancelled"


async def test_xsrf_token_of_another_session_is_refused(start_api: StartApi) -> None:
    api = await logged_in(start_api)
    other = xsrf(api)
    await log_in(api)

    answer = await api.client.post(TASKS, json=WEB_TASK, headers=other)

    assert (answer.status_code, answer.json()["code"]) == (403, 40304)


async def test_bearer_needs_no_xsrf_token_even_beside_a_session(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    answer = await api.client.post(TASKS, json=WEB_TASK, headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 200


async def test_page_of_another_site_cannot_use_the_session(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    answer = await api.client.post(TASKS, json=WEB_TASK, headers={"Origin": "https://evil.example", **xsrf(api)})

    assert (answer.status_code, answer.json()["code"]) == (403, 40302)


async def test_session_altered_anywhere_is_refused(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    session = cookies_of(await log_in(api))["mcp_session"].value
    api.client.cookies.clear()
    end, nonce, signature = session.split(".")
    altered = [f"{int(end) + 1}.{nonce}.{signature}", f"{end}.{nonce[::-1]}.{signature}", f"{end}.{nonce}.{'0' * 64}"]

    for one in (*altered, session[:-1], f"{session}0", "", "..", f"{end}.{nonce}", f"{end}.{nonce}.é"):
        answer = await api.client.get(TASKS, headers={b"Cookie": f"mcp_session={one}".encode()})
        assert (answer.status_code, answer.json()["code"]) == (401, 40101), one


async def test_xsrf_token_is_no_session(start_api: StartApi) -> None:
    api = await logged_in(start_api)
    end, nonce, _ = api.client.cookies["mcp_session"].split(".")
    forged = f"{end}.{nonce}.{api.client.cookies['mcp_xsrf']}"
    api.client.cookies.clear()

    answer = await api.client.get(TASKS, headers=session_header(forged))

    assert answer.status_code == 401


@pytest.mark.parametrize(("age", "status"), [(LIFETIME - timedelta(minutes=1), 200), (LIFETIME, 401)])
async def test_session_ends_after_a_week(start_api: StartApi, age: timedelta, status: int) -> None:
    api = await start_api(auth_token=TOKEN)
    old = Sessions(TOKEN, now=lambda: datetime.now(UTC) - age).issue()

    answer = await api.client.get(TASKS, headers=session_header(old))

    assert answer.status_code == status


async def test_session_outlives_a_restart(start_api: StartApi) -> None:
    before = await logged_in(start_api)
    after = await start_api(auth_token=TOKEN)

    answer = await after.client.get(TASKS, headers=session_header(before.client.cookies["mcp_session"]))

    assert answer.status_code == 200


async def test_changed_token_ends_all_sessions(start_api: StartApi) -> None:
    before = await logged_in(start_api)
    after = await start_api(auth_token=f"{TOKEN}-2")

    answer = await after.client.get(TASKS, headers=session_header(before.client.cookies["mcp_session"]))

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/t_1?q=a&b=c"])
async def test_browser_without_a_session_is_sent_to_the_form(start_api: StartApi, path: str) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.get(path, headers=HTML)

    assert answer.status_code == 303
    assert answer.headers["Cache-Control"] == "no-store"
    location = httpx.URL(answer.headers["Location"])
    assert (location.path, location.params["next"]) == ("/login", path)


async def test_calls_of_the_api_are_never_sent_to_the_form(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    for path in (TASKS, "/api/none"):
        answer = await api.client.get(path, headers=HTML)
        assert (answer.status_code, answer.json()["code"]) == (401, 40101)


async def test_page_is_served_to_a_session(start_api: StartApi) -> None:
    api = await logged_in(start_api)
    api.frontend.mkdir()
    (api.frontend / "index.html").write_text("the page")

    answer = await api.client.get("/tasks", headers=HTML)

    assert (answer.status_code, answer.text) == (200, "the page")


async def test_hashed_files_need_no_token_but_nothing_else_of_the_build_does(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    (api.frontend / "assets").mkdir(parents=True)
    (api.frontend / "assets" / "app.js").write_text("js")
    (api.frontend / "other.txt").write_text("other")

    assert (await api.client.get("/assets/app.js")).status_code == 200
    assert (await api.client.get("/assets/none.js", headers=HTML)).status_code == 404
    assert (await api.client.get("/other.txt")).status_code == 401


async def test_link_on_another_site_finds_the_session_again(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    from_afar = {**HTML, "Sec-Fetch-Site": "cross-site"}

    detour = await api.client.get("/login?next=/tasks/t_1%3Fa%3D1%26b%3D2", headers=from_afar)

    assert detour.status_code == 200
    assert 'http-equiv="refresh" content="0;url=/login?next=/tasks/t_1%3Fa%3D1%26b%3D2"' in detour.text
    assert "<form" not in detour.text


async def test_form_sends_on_who_has_a_session(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    answer = await api.client.get("/login?next=/tasks/t_1")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/tasks/t_1")


async def test_without_a_token_of_ours_there_is_nothing_to_log_in_to(api: ApiServer) -> None:
    seen, sent = await api.client.get("/login"), await log_in(api, "anything")

    assert (seen.status_code, seen.headers["Location"]) == (303, "/")
    assert (sent.status_code, sent.headers["Location"]) == (303, "/tasks")
    assert "set-cookie" not in sent.headers


@pytest.mark.parametrize(
    "address",
    [
        *("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"),
        *("/\t/evil.example", "/\n//evil.example", "\t//evil.example", " //evil.example", "evil.example", ""),
        *("/a\r\nSet-Cookie: x=1", "/a b", "/露营", "/" + "a" * 2_000),
    ],
)
def test_next_leads_nowhere_else(address: str) -> None:
    assert local_path(address) == "/"


@pytest.mark.parametrize("address", ["/", "/tasks", "/tasks?q=%E9%9C%B2&to=https://a.example//b", "/.//x"])
def test_next_leads_to_any_page_here(address: str) -> None:
    assert local_path(address) == address


async def test_next_of_another_site_leads_to_the_first_page(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.post("/login", data={"token": TOKEN, "next": "//evil.example"})

    assert answer.headers["Location"] == "/"


async def test_logout_clears_both_cookies(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    answer = await api.client.post("/logout")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert dict(api.client.cookies) == {}
    assert (await api.client.get(TASKS)).status_code == 401


async def test_logout_takes_no_get_and_no_other_site(start_api: StartApi) -> None:
    api = await logged_in(start_api)

    assert (await api.client.get("/logout")).status_code == 405
    assert (await api.client.post("/logout", headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await api.client.get(TASKS)).status_code == 200


async def test_no_token_and_no_cookie_reaches_the_log(start_api: StartApi) -> None:
    with captured_log() as lines:
        api = await logged_in(start_api)
        await log_in(api, "not-the-right-one")
        await api.client.get("/login?next=/secret-place")
        await api.client.post(TASKS, json=WEB_TASK)

    ours = "".join(line for line in lines if "httpx:" not in line)
    assert "303 POST /login" in ours
    assert "403 POST /api/v1/tasks" in ours
    secrets = (TOKEN, "not-the-right-one", "secret-place", *api.client.cookies.values())
    assert [one for one in secrets if one in ours] == []


async def test_document_tells_of_the_session_and_what_a_write_needs(api: ApiServer) -> None:
    document = (await api.client.get("/openapi.json")).json()

    tasks = document["paths"][TASKS]
    assert document["components"]["securitySchemes"]["session"]["name"] == "mcp_session"
    assert "40304 XSRF_FAILED" in tasks["post"]["responses"]["403"]["description"]
    assert "XSRF_FAILED" not in tasks["get"]["responses"]["403"]["description"]
    assert "/login" not in document["paths"]
