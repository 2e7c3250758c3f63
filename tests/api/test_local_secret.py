"""The secret of server.json: it opens the server to commands of its own machine, and to nobody else."""

from types import SimpleNamespace
from typing import cast

import pytest
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from backend.api.local_secret import LocalSecret
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi

TASKS, ME = "/api/v1/tasks", "/api/v1/me"
TOKEN = "correct-horse-battery"
SECRET = "s" * 43


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def request_from(address: str, **headers: str) -> HTTPServerRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    context = SimpleNamespace(remote_ip=address, protocol="http")
    connection = cast("HTTPConnection", SimpleNamespace(context=context))
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    sent = HTTPHeaders({"Host": "localhost", **named})
    return HTTPServerRequest(headers=sent, connection=connection, start_line=line)


async def with_users(api: ApiServer) -> ApiServer:
    await api.users.add("anna", "a-long-enough-one", role=None, by="local")
    return api


async def test_command_of_this_machine_is_an_admin_called_cli(api: ApiServer) -> None:
    await with_users(api)

    told = await api.client.get(ME, headers=bearer(api.local_secret))
    made = await api.client.post(TASKS, json={**WEB_TASK, "start": "manual"}, headers=bearer(api.local_secret))

    assert told.status_code == 200
    assert (told.json()["data"]["name"], told.json()["data"]["role"]) == ("cli", "admin")
    assert made.json()["data"]["created_by"] == "cli"


async def test_secret_opens_a_server_with_auth_token_too(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    assert (await api.client.get(TASKS, headers=bearer(api.local_secret))).status_code == 200


async def test_wrong_secret_is_401(api: ApiServer) -> None:
    await with_users(api)

    answer = await api.client.get(TASKS, headers=bearer(api.local_secret[:-1] + "?"))

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


async def test_secret_is_still_taken_while_somebody_of_this_machine_guesses(api: ApiServer) -> None:
    await with_users(api)
    guessed = [(await api.client.get(TASKS, headers=bearer(f"guess-{n}"))).status_code for n in range(11)]

    answer = await api.client.get(TASKS, headers=bearer(api.local_secret))

    assert (guessed[-1], answer.status_code) == (429, 200)


async def test_secret_opens_no_session(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.post("/api/v1/login", json={"token": api.local_secret})

    assert answer.status_code == 401


@pytest.mark.parametrize("trusted", ["", "127.0.0.1"])
async def test_secret_through_a_proxy_is_refused(start_api: StartApi, trusted: str) -> None:
    api = await start_api(auth_token=TOKEN, trusted_proxies=trusted)
    headers = {**bearer(api.local_secret), "X-Forwarded-For": "203.0.113.9"}

    assert (await api.client.get(TASKS, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        *(("127.0.0.1", True), ("127.0.0.2", True), ("::1", True)),
        *(
            ("203.0.113.9", False),
            ("192.168.1.5", False),
            ("2001:db8::7", False),
            ("localhost.evil", False),
            ("", False),
        ),
    ],
)
def test_secret_opens_to_a_loopback_peer_alone(address: str, *, is_open: bool) -> None:
    assert LocalSecret(SECRET).opens(SECRET, request_from(address)) is is_open


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X_Forwarded_For", "X_Real_IP"])
def test_request_that_was_passed_on_is_not_of_this_machine(name: str) -> None:
    assert not LocalSecret(SECRET).opens(SECRET, request_from("127.0.0.1", **{name: "127.0.0.1"}))


@pytest.mark.parametrize("token", ["", "x", "ſ" * 43, "\udcff"])
def test_what_is_not_the_secret_opens_nothing(token: str) -> None:
    assert not LocalSecret(SECRET).opens(token, request_from("127.0.0.1"))


def test_server_without_a_secret_opens_to_none() -> None:
    assert not LocalSecret(None).opens("", request_from("127.0.0.1"))
