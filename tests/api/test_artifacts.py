import asyncio
import hashlib
from typing import Any

import pytest

from backend.domain.generation import Artifact
from backend.domain.task import Lease
from tests.fixtures.api_server import ApiServer

DATA = bytes(range(256)) * 4
SHA = hashlib.sha256(DATA).hexdigest()


async def put(api: ApiServer, data: bytes = DATA, **changes: Any) -> Artifact:
    values = {"task_id": "t_1", "name": "clip.mp4", "role": "output", "media_type": "video/mp4", **changes}
    async with api.artifacts.part(".bin") as path:
        path.write_bytes(data)
        return await api.artifacts.adopt(Lease("t_1", "w_1", 1), path, **values)


async def read(api: ApiServer, headers: dict[str, str], **changes: Any) -> Any:
    one = await put(api, **changes)
    return await api.client.get(f"/api/v1/artifacts/{one.artifact_id}", headers=headers)


async def test_whole_file_is_sent_with_what_is_known_of_it(api: ApiServer) -> None:
    answer = await read(api, {})

    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == f'"{SHA}"'
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1024),
        ("bytes=-100", 924, 1024),
        ("bytes=-5000", 0, 1024),
        ("bytes=1000-99999999999", 1000, 1024),
        ("bytes=0-1, 5-6", 0, 2),
        ("bytes=5000-, 0-1", 0, 2),
        ("bytes = 0 - 9", 0, 10),
    ],
)
async def test_range_is_sent_alone(api: ApiServer, asked: str, start: int, end: int) -> None:
    answer = await read(api, {"Range": asked})

    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"
    assert answer.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=9-5", "bytes=2000-,3000-"])
async def test_range_that_cannot_be_met_is_416(api: ApiServer, asked: str) -> None:
    answer = await read(api, {"Range": asked})

    assert (answer.status_code, answer.json()["code"]) == (416, 41601)
    assert answer.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    "asked", ["bytes", "bytes=", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=1-2-3", "bytes=--1", "x" * 5000]
)
async def test_range_that_is_none_is_ignored(api: ApiServer, asked: str) -> None:
    answer = await read(api, {"Range": asked})

    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize(
    ("condition", "status"),
    [(f'"{SHA}"', 206), ('"other"', 200), (f'W/"{SHA}"', 200), ("Sat, 21 Nov 2026 08:00:00 GMT", 200)],
)
async def test_range_is_given_only_of_the_same_file(api: ApiServer, condition: str, status: int) -> None:
    answer = await read(api, {"Range": "bytes=0-9", "If-Range": condition})

    assert answer.status_code == status


async def test_known_file_is_not_sent_again(api: ApiServer) -> None:
    answer = await read(api, {"If-None-Match": f'"{SHA}"'})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_empty_file_has_no_range(api: ApiServer) -> None:
    one = await put(api, b"")
    path = f"/api/v1/artifacts/{one.artifact_id}"

    whole, part = await api.client.get(path), await api.client.get(path, headers={"Range": "bytes=0-"})

    assert (whole.status_code, whole.content) == (200, b"")
    assert part.status_code == 416


async def test_head_gives_the_headers_alone(api: ApiServer) -> None:
    one = await put(api)
    path = f"/api/v1/artifacts/{one.artifact_id}"

    whole, part = await api.client.head(path), await api.client.head(path, headers={"Range": "bytes=0-9"})

    assert (whole.status_code, whole.content, whole.headers["Content-Length"]) == (200, b"", "1024")
    assert (part.status_code, part.headers["Content-Length"]) == (206, "10")


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("video/mp4", "inline"),
        ("audio/mpeg", "inline"),
        ("image/png", "inline"),
        ("image/svg+xml", "attachment"),
        ("IMAGE/SVG+XML; charset=utf-8", "attachment"),
        ("text/html", "attachment"),
        ("application/pdf", "attachment"),
    ],
)
async def test_only_pictures_films_and_sound_are_shown(api: ApiServer, media_type: str, kind: str) -> None:
    answer = await read(api, {}, media_type=media_type)

    assert answer.headers["Content-Disposition"].startswith(f"{kind}; ")


async def test_download_is_saved(api: ApiServer) -> None:
    one = await put(api)

    answer = await api.client.get(f"/api/v1/artifacts/{one.artifact_id}?download=1")

    assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_name_is_given_in_both_forms(api: ApiServer) -> None:
    answer = await read(api, {}, name='露营"; x=y\r\nEvil: 1.mp4')

    assert answer.headers["Content-Disposition"] == (
        "inline; filename=\"____ x_yEvil_ 1.mp4\"; filename*=UTF-8''%E9%9C%B2%E8%90%A5_%3B%20x%3DyEvil_%201.mp4"
    )
    assert "Evil" not in answer.headers


@pytest.mark.parametrize("artifact_id", ["a_none", "..%2f..%2fetc%2fpasswd", "%00", "a" * 500])
async def test_file_that_does_not_exist_is_404(api: ApiServer, artifact_id: str) -> None:
    answer = await api.client.get(f"/api/v1/artifacts/{artifact_id}")

    assert (answer.status_code, answer.json()["code"]) == (404, 40402)


async def test_file_that_is_not_on_this_server_is_404_and_says_where_it_may_be(api: ApiServer) -> None:
    one = await put(api)
    api.artifacts.path_of(one).unlink()

    answer = await api.client.get(f"/api/v1/artifacts/{one.artifact_id}")

    assert (answer.status_code, answer.json()["code"]) == (404, 40402)
    assert "DATA_DIR/artifacts" in answer.text


async def test_reader_who_leaves_disturbs_nobody(api: ApiServer) -> None:
    one = await put(api, b"x" * 30_000_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"GET /api/v1/artifacts/{one.artifact_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readexactly(100_000)

    writer.close()

    answer = await api.client.get(f"/api/v1/artifacts/{one.artifact_id}")
    assert len(answer.content) == 30_000_000


async def test_task_lists_its_files(api: ApiServer) -> None:
    record = await api.create()
    poster = await put(api, b"p", task_id=record["task_id"], name="p.jpg", role="poster", media_type="image/jpeg")
    clip = await put(api, task_id=record["task_id"], poster_id=poster.artifact_id, width=1280, height=720, fps=30.0)

    listed = (await api.client.get(f"/api/v1/tasks/{record['task_id']}/artifacts")).json()["data"]
    shown = (await api.client.get(f"/api/v1/tasks/{record['task_id']}")).json()["data"]

    assert listed["items"] == shown["artifacts"]
    assert {one["artifact_id"]: one for one in listed["items"]}[clip.artifact_id] == {
        "artifact_id": clip.artifact_id,
        "task_id": record["task_id"],
        "name": "clip.mp4",
        "role": "output",
        "media_type": "video/mp4",
        "size_bytes": 1024,
        "sha256": SHA,
        "width": 1280,
        "height": 720,
        "duration_s": None,
        "fps": 30.0,
        "url": f"/api/v1/artifacts/{clip.artifact_id}",
        "poster_url": f"/api/v1/artifacts/{poster.artifact_id}",
    }
