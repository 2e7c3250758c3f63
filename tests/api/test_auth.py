"""The door: Host, Origin, token."""

import pytest

from backend.core.logs import captured_log
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi

TOKEN = "correct-horse-battery"
TASKS = "/api/v1/tasks"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8888", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8888", "media.lan", "media.lan:80"],
)
async def test_our_hosts_are_answered(start_api: StartApi, host: str) -> None:
    api = await start_api(allowed_hosts="media.lan")

    answer = await api.client.get(TASKS, headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8888",
        "127.0.0.2",
        "[::2]",
        "localhost:x",
        "::1",
    ],
)
async def test_strange_host_is_refused(api: ApiServer, host: str) -> None:
    answer = await api.client.post(TASKS, json=WEB_TASK, headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, 40301)
    assert await api.stored() == 0


async def test_request_without_a_host_is_refused(api: ApiServer) -> None:
    answer = await api.raw(b"GET /api/v1/tasks HTTP/1.0\r\n\r\n")

    assert b"HTTP/1.1 200" not in answer


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:5173", "https://app.example"])
async def test_allowed_origin_may_read_the_answer(start_api: StartApi, origin: str) -> None:
    api = await start_api(allowed_origins="https://app.example")

    answer = await api.client.post(TASKS, json=WEB_TASK, headers={"Origin": origin})

    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Vary"] == "Origin"


async def test_own_origin_is_answered(api: ApiServer) -> None:
    answer = await api.client.post(TASKS, json=WEB_TASK, headers={"Origin": api.url})

    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:5174",
        "https://localhost:5173",
        "http://localhost:5173.evil",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_strange_origin_is_refused(api: ApiServer, origin: str, method: str) -> None:
    answer = await api.client.request(method, TASKS, headers={"Origin": origin})

    assert (answer.status_code, answer.json()["code"]) == (403, 40302)
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_dev_origin_is_refused_beyond_loopback(start_api: StartApi) -> None:
    api = await start_api(host="0.0.0.0", auth_token=TOKEN)

    answer = await api.client.get(TASKS, headers={"Origin": "http://localhost:5173", **bearer(TOKEN)})

    assert answer.status_code == 403


async def test_preflight_of_an_allowed_origin_needs_no_token(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.options(TASKS, headers={"Origin": "http://localhost:5173"})

    assert answer.status_code == 204
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "path",
    [TASKS, f"{TASKS}/t_1", "/api/v1/artifacts/a_1", "/api/v1/system", "/api/none", "/openapi.json", "/docs", "/"],
)
@pytest.mark.parametrize(
    "headers", [{}, bearer("wrong"), {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer"}]
)
async def test_token_is_asked_for_everywhere(start_api: StartApi, path: str, headers: dict[str, str]) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.get(path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_right_token_is_let_in(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.post(TASKS, json=WEB_TASK, headers=bearer(TOKEN))

    assert answer.status_code == 200
    assert await api.stored() == 1


async def test_token_in_the_query_opens_nothing_and_reaches_no_log(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    with captured_log() as lines:
        answer = await api.client.get(f"{TASKS}?token={TOKEN}&key={TOKEN}&anything={TOKEN}", headers=bearer(TOKEN[:-1]))

    assert answer.status_code == 401
    ours = "".join(line for line in lines if "httpx:" not in line)
    assert "401 GET /api/v1/tasks" in ours
    assert TOKEN[:-1] not in ours


async def test_guessing_is_slowed_down(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    codes = [(await api.client.get(TASKS, headers=bearer(f"guess-{n}"))).status_code for n in range(10)]

    answer = await api.client.get(TASKS, headers=bearer(TOKEN))

    assert codes == [401] * 10
    assert (answer.status_code, answer.json()["code"]) == (429, 42901)
    assert answer.json()["error"]["retryable"] is True
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_calls_without_any_token_lock_nobody_out(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)
    for _ in range(20):
        await api.client.get(TASKS)

    answer = await api.client.get(TASKS, headers=bearer(TOKEN))

    assert answer.status_code == 200


async def test_security_headers_are_on_every_answer(api: ApiServer) -> None:
    for path in (TASKS, "/api/none", "/health", "/docs", "/openapi.json", "/", "/api/v1/artifacts/a_none"):
        headers = (await api.client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Request-Id"].startswith("r_")
