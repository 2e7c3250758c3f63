"""A proxy in front of the server: whom it is believed, and what PUBLIC_URL opens."""

import pytest

from backend.core.logs import captured_log
from tests.fixtures.api_server import ApiServer, StartApi

TOKEN = "correct-horse-battery"
TASKS = "/api/v1/tasks"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def seen_address(api: ApiServer, forwarded: str) -> str:
    """Return the address in the access line of a call with this X-Forwarded-For."""
    with captured_log() as lines:
        await api.client.get("/api/v1/me", headers={"X-Forwarded-For": forwarded, **BEARER})
    line = next(one for one in lines if "GET /api/v1/me" in one and "httpx:" not in one)
    return line.partition("(")[2].partition(")")[0]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1,10.0.0.0/8", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, not-an-address", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
async def test_caller_is_who_a_trusted_proxy_names(
    start_api: StartApi, trusted: str, forwarded: str, seen: str
) -> None:
    api = await start_api(auth_token=TOKEN, trusted_proxies=trusted)

    assert await seen_address(api, forwarded) == seen


async def test_made_up_addresses_do_not_get_around_the_limit(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    codes = [
        (
            await api.client.get(
                TASKS, headers={"Authorization": f"Bearer guess-{n}", "X-Forwarded-For": f"198.51.100.{n}"}
            )
        ).status_code
        for n in range(11)
    ]

    assert codes == [401] * 10 + [429]


@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.1", 200), ("", 403)])
async def test_protocol_of_a_trusted_proxy_makes_the_origin_ours(
    start_api: StartApi, trusted: str, status: int
) -> None:
    api = await start_api(auth_token=TOKEN, trusted_proxies=trusted, allowed_hosts="media.lan")
    headers = {"Host": "media.lan", "Origin": "https://media.lan", "X-Forwarded-Proto": "https", **BEARER}

    answer = await api.client.get(TASKS, headers=headers)

    assert answer.status_code == status


async def test_public_url_opens_its_host_and_origin_and_secures_cookies(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN, public_url="https://media.example/")
    public = {"Host": "media.example", "Origin": "https://media.example"}

    read = await api.client.get(TASKS, headers={**public, **BEARER})
    login = await api.client.post("/login", data={"token": TOKEN}, headers={"Host": "media.example"})
    local = await api.client.post("/login", data={"token": TOKEN})
    other = await api.client.get(TASKS, headers={"Host": "media.example", "Origin": "https://evil.example", **BEARER})

    assert read.status_code == 200
    assert "Access-Control-Allow-Origin" not in read.headers
    assert all("Secure" in line for line in login.headers.get_list("set-cookie"))
    assert not any("Secure" in line for line in local.headers.get_list("set-cookie"))
    assert other.status_code == 403


@pytest.mark.parametrize("settings", [{"public_url": "https://media.example"}, {"trusted_proxies": "127.0.0.1"}])
async def test_door_behind_a_proxy_is_never_open(start_api: StartApi, settings: dict[str, str]) -> None:
    api = await start_api(**settings)

    answer = await api.client.get(TASKS)

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)
