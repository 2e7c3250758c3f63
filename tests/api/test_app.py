"""Routes, methods, the frontend, the description of the API."""

from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.api.app import ROUTES
from backend.api.errors import CODES
from backend.api.items.schemas import ItemList
from backend.api.openapi import describe
from backend.api.platforms.schemas import PlatformList
from backend.api.system.schemas import HealthOut, SystemOut
from backend.api.tasks.records import HistoryList, LogList, TaskList, TaskRecord
from tests.fixtures.api_server import ApiServer

UNDER_TASK = "/api/v1/tasks/{task_id}"


# -- addresses and verbs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v2/tasks", "/api/v1/task", "/api/v1/tasks/", "/api/v1/tasks/a/b/c"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_address_under_api_is_a_json_404(api: ApiServer, method: str, path: str) -> None:
    api.frontend.mkdir()
    (api.frontend / "index.html").write_text("<p>index</p>")

    answer = await api.client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (404, 40402)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/tasks", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
        ("PATCH", "/api/v1/tasks/t_1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("GET", "/api/v1/tasks/t_1/start", {"POST", "OPTIONS"}),
        ("POST", "/api/v1/platforms", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/api/v1/tasks", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
    ],
)
async def test_wrong_verb_is_405_with_the_right_ones(api: ApiServer, method: str, path: str, allowed: set[str]) -> None:
    answer = await api.client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, 40501)
    assert set(answer.headers["Allow"].split(", ")) == allowed


async def test_head_answers_as_get_without_a_body(api: ApiServer) -> None:
    answer = await api.client.head("/api/v1/tasks")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


async def test_api_answers_are_kept_by_nobody(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks")

    assert answer.headers["Cache-Control"] == "no-store"


async def test_path_that_is_not_utf8_is_400(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks/%FF%FE")

    assert (answer.status_code, answer.json()["error"]["name"]) == (400, "NOT_UTF8")


# -- the frontend ------------------------------------------------------------------------------------------------


def build(api: ApiServer) -> None:
    (api.frontend / "assets").mkdir(parents=True)
    (api.frontend / "index.html").write_text("<p>index</p>")
    (api.frontend / "assets" / "app-3f2a.js").write_text("let a = 1")
    (api.folder / "secret.txt").write_text("secret")


@pytest.mark.parametrize("path", ["/", "/tasks/t_1", "/new?platform=web", "/index.html", "/deep/er/page"])
async def test_every_page_is_index_html(api: ApiServer, path: str) -> None:
    build(api)

    answer = await api.client.get(path)

    assert (answer.status_code, answer.text) == (200, "<p>index</p>")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_hashed_asset_is_kept_for_ever(api: ApiServer) -> None:
    build(api)

    answer = await api.client.get("/assets/app-3f2a.js")

    assert (answer.status_code, answer.text) == (200, "let a = 1")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "javascript" in answer.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/", "/assets/../../secret.txt"])
async def test_missing_asset_is_404_and_not_a_page(api: ApiServer, path: str) -> None:
    build(api)

    answer = await api.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    assert b" 404 " in answer.splitlines()[0]
    assert b"secret" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "//secret.txt",
        "/%00",
        "/assets/..%2f..%2fsecret.txt",
    ],
)
async def test_nothing_outside_the_build_is_served(api: ApiServer, path: str) -> None:
    build(api)

    answer = await api.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    assert b"secret" not in answer


async def test_link_out_of_the_build_is_not_followed(api: ApiServer) -> None:
    build(api)
    (api.frontend / "link.txt").symlink_to(api.folder / "secret.txt")

    answer = await api.client.get("/link.txt")

    assert answer.text == "<p>index</p>"


async def test_missing_build_says_how_to_make_it(api: ApiServer) -> None:
    answer = await api.client.get("/")

    assert answer.status_code == 404
    assert "make setup" in answer.json()["error"]["advice"]


# -- the description ---------------------------------------------------------------------------------------------


async def test_description_names_every_route_and_verb(api: ApiServer) -> None:
    document = (await api.client.get("/openapi.json")).json()

    assert document["openapi"] == "3.1.0"
    for route in ROUTES:
        verbs = {verb for verb in ("get", "post", "put", "patch", "delete") if verb in vars(route.handler)}
        assert set(document["paths"][route.path]) - {"head"} == verbs, route.path


def test_every_reference_leads_somewhere() -> None:
    document = describe(ROUTES, version="1")

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [one for inner in value.values() for one in references(inner)]
        return [one for inner in value for one in references(inner)] if isinstance(value, list) else []

    found = {one.removeprefix("#/components/schemas/") for one in references(document)}
    assert found <= set(document["components"]["schemas"])
    assert "TaskRecord" in found


def test_every_operation_has_an_id_of_its_own() -> None:
    document = describe(ROUTES, version="1")

    ids = [one["operationId"] for verbs in document["paths"].values() for one in verbs.values()]

    assert len(set(ids)) == len(ids)


def test_body_parameters_and_errors_are_described() -> None:
    post = describe(ROUTES, version="1")["paths"]["/api/v1/tasks"]["post"]

    assert {one["name"] for one in post["parameters"]} == {"require_available", "Idempotency-Key"}
    assert post["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/TaskCreate")
    assert set(post["responses"]) == {"200", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"}
    assert "42203 UNKNOWN_TYPE" in post["responses"]["422"]["description"]


def test_codes_are_the_status_times_a_hundred() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(400 <= code // 100 <= 503 for code in CODES.values())


async def test_answers_are_what_the_description_says(api: ApiServer) -> None:
    record = await api.create()
    path = f"/api/v1/tasks/{record['task_id']}"
    shapes = {
        "/api/v1/tasks": TaskList,
        path: TaskRecord,
        f"{path}/items": ItemList,
        f"{path}/logs": LogList,
        f"{path}/history": HistoryList,
        "/api/v1/platforms": PlatformList,
        "/api/v1/system": SystemOut,
    }

    for address, shape in shapes.items():
        data = (await api.client.get(address)).json()["data"]
        TypeAdapter(shape).validate_python(data, strict=True, extra="forbid")
    TypeAdapter(HealthOut).validate_python((await api.client.get("/health")).json(), strict=True, extra="forbid")


class _Loads(HTMLParser):
    found: list[str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {value}" for name, value in attrs if name in {"src", "srcset", "action"}]
        self.found += [
            f"{tag} {value}" for name, value in attrs if name == "href" and not str(value).startswith(("#", "/"))
        ]
        self.found += [tag] * (tag in {"script", "link", "iframe", "object"})


async def test_docs_page_shows_every_path_and_loads_nothing(api: ApiServer) -> None:
    answer = await api.client.get("/docs")

    parser = _Loads()
    parser.found = []
    parser.feed(answer.text)
    assert parser.found == []
    assert "url(" not in answer.text
    assert all(route.path in answer.text for route in ROUTES)
    assert "script-src" not in answer.headers["Content-Security-Policy"]
