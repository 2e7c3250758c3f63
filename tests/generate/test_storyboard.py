import io
import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from backend.domain.item import Item, Media
from backend.domain.task import Lease, Stage
from backend.generate.media import find_programs, probe
from backend.generate.providers.storyboard.params import StoryboardParams
from backend.generate.providers.storyboard.scenes import scenes_of
from backend.store.items import with_id
from tests.fixtures.storyboard import SMALL, TWO, BareContext, StoryboardHouse, failure, film, running

FIRST_SEEN = datetime(2026, 11, 21, tzinfo=UTC)


def frame_of(path: Path, at_s: float) -> Image.Image:
    ffmpeg = str(find_programs().ffmpeg)
    argv = [ffmpeg, "-v", "error", "-ss", str(at_s), "-i", str(path), "-frames:v", "1", "-f", "image2pipe"]
    png = subprocess.run([*argv, "-c:v", "png", "-"], check=True, capture_output=True).stdout
    return Image.open(io.BytesIO(png)).convert("RGB")


def frame_count(path: Path) -> int:
    ffmpeg = str(find_programs().ffmpeg)
    argv = [ffmpeg, "-v", "error", "-i", str(path), "-map", "0:v", "-f", "null", "-progress", "pipe:1", "-"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return int([line for line in said.splitlines() if line.startswith("frame=")][-1].partition("=")[2])


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (320, 180), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def stand_in_for_ffmpeg(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script before ffmpeg; `$REAL` in it is the real one."""
    real = find_programs().ffmpeg
    folder.mkdir()
    (folder / "ffmpeg").write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# -- the film ----------------------------------------------------------------------------------------------------------


async def test_film_plays_with_the_size_rate_and_length_that_were_asked(studio: StoryboardHouse) -> None:
    _, path = await film(studio, TWO)

    facts = await probe(studio.children, path)
    assert (facts.video_codec, facts.width, facts.height, facts.fps) == ("h264", 160, 90, 10.0)
    assert facts.duration_s == pytest.approx(2.0, abs=0.1)
    assert frame_count(path) == 20


async def test_record_of_the_film_has_the_facts_of_its_file(studio: StoryboardHouse) -> None:
    await film(studio, TWO)

    still, output = await studio.artifacts.of_task("t_bare")
    assert (output.role, output.name, output.media_type) == ("output", "storyboard.mp4", "video/mp4")
    assert (output.width, output.height, output.fps) == (160, 90, 10.0)
    assert output.duration_s == pytest.approx(2.0, abs=0.1)
    assert (still.role, still.media_type, output.poster_id) == ("poster", "image/jpeg", still.artifact_id)


async def test_index_is_at_the_front_for_the_web(studio: StoryboardHouse) -> None:
    _, path = await film(studio, TWO)

    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(("size", "fps", "seconds"), [("90x160", 25, 1.5), ("120x120", 1, 1), ("162x90", 60, 1)])
async def test_any_even_size_and_rate_can_be_filmed(
    studio: StoryboardHouse, size: str, fps: int, seconds: float
) -> None:
    _, path = await film(studio, {"script": "一\n二\n三", "size": size, "fps": fps, "seconds_per_scene": seconds})

    facts = await probe(studio.children, path)
    assert f"{facts.width}x{facts.height}" == size
    assert frame_count(path) == 3 * round(fps * seconds)


async def test_packaged_ffmpeg_films_too(studio: StoryboardHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    _, path = await film(studio, TWO)

    facts = await probe(studio.children, path)
    assert (facts.video_codec, facts.width, facts.fps) == ("h264", 160, 10.0)
    assert facts.duration_s == pytest.approx(2.0, abs=0.1)


async def test_each_scene_shows_its_own_card_and_fades_into_the_next(studio: StoryboardHouse) -> None:
    _, path = await film(studio, TWO)

    first, between, second = (frame_of(path, at_s).getpixel((3, 86)) for at_s in (0.5, 1.1, 1.8))
    assert first != second
    assert between not in {first, second}


async def test_progress_counts_frames_up_to_the_last(studio: StoryboardHouse) -> None:
    context, _ = await film(studio, TWO)

    assert context.done == sorted(context.done)
    assert context.done[-1] == 20
    assert context.stages == [Stage.START, Stage.RENDER, Stage.STORE, Stage.DONE]


async def test_script_is_a_scene_a_line_with_its_picture_at_the_end(studio: StoryboardHouse) -> None:
    studio.pictures.answers["red.png"] = (200, picture((250, 0, 0)))

    _, path = await film(studio, {**SMALL, "script": f"\n海边 {studio.pictures.url}/red.png\n\n夜景\n"})

    assert frame_count(path) == 20
    red, _, blue = cast("tuple[int, int, int]", frame_of(path, 0.3).getpixel((5, 5)))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
async def test_picture_is_the_background(studio: StoryboardHouse, kind: str) -> None:
    studio.pictures.answers["one"] = (200, picture((20, 200, 30), kind=kind))

    context, path = await film(studio, {**SMALL, "scenes": [{"text": "草地", "image": f"{studio.pictures.url}/one"}]})

    red, green, _ = cast("tuple[int, int, int]", frame_of(path, 0.5).getpixel((5, 5)))
    assert green > 150 > red
    assert context.lines == []


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", "HTTP 404"),
        (200, b"<html>", "CONTENT_TYPE"),
        (200, picture((1, 2, 3))[:60], "PARSE_FAILED"),
        (200, b"\x89PNG\r\n\x1a\n" + os.urandom(500), "PARSE_FAILED"),
        (200, picture((9, 9, 9), size=(9_000, 9_000)), "PARSE_FAILED"),
        (200, b"\xff\xd8\xff" + bytes(21 << 20), "TOO_LARGE"),
    ],
    ids=["missing", "page", "cut", "garbage", "bomb", "huge"],
)
async def test_picture_that_cannot_be_had_becomes_a_text_card(
    studio: StoryboardHouse, status: int, body: bytes, reason: str
) -> None:
    studio.pictures.answers["one"] = (status, body)

    context, path = await film(studio, {**SMALL, "scenes": [{"text": "草地", "image": f"{studio.pictures.url}/one"}]})

    assert context.lines == [f"warning: 图片不可用，改用文字卡: {reason}"]
    assert frame_count(path) == 10


async def test_private_address_is_not_asked_for_a_picture(studio: StoryboardHouse) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        url = f"http://127.0.0.2:{listener.getsockname()[1]}/x.png"

        context, _ = await film(studio, {**SMALL, "scenes": [{"text": "草地", "image": url}]})

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert context.lines == ["warning: 图片不可用，改用文字卡: PRIVATE_ADDRESS"]


# -- from a task -------------------------------------------------------------------------------------------------------


def item(number: int, **changes: Any) -> Item:
    made = Item(
        "t_crawl", "web", "page", f"p{number}", f"https://x.example/{number}", f"标题 {number}", "正文。" * 100,
        FIRST_SEEN + timedelta(seconds=number), "sha256:0", "html:text",
    )  # fmt: skip
    return with_id(replace(made, **changes))


async def test_items_of_a_crawl_become_scenes(studio: StoryboardHouse) -> None:
    studio.pictures.answers["red.png"] = (200, picture((250, 0, 0)))
    image = (Media("video", "https://x.example/v.mp4"), Media("image", f"{studio.pictures.url}/red.png"))
    items = [item(1), item(2, media=image), item(3, kind="comment"), item(4, title=None, text=None)]
    await studio.items.upsert_many(Lease("t_crawl", "w_1", 1), items)

    _, path = await film(studio, {**SMALL, "from_task": "t_crawl"})

    assert frame_count(path) == 20
    assert cast("tuple[int, int, int]", frame_of(path, 1.9).getpixel((5, 5)))[0] > 200


async def test_no_more_than_a_hundred_items_are_filmed(studio: StoryboardHouse) -> None:
    await studio.items.upsert_many(Lease("t_crawl", "w_1", 1), [item(number) for number in range(101)])
    params = StoryboardParams(from_task="t_crawl")

    scenes = await scenes_of(params, studio.items, running(BareContext({})))

    assert len(scenes) == 100
    assert all(len(scene.text) <= 120 for scene in scenes)


async def test_task_without_results_is_named(studio: StoryboardHouse) -> None:
    error = await failure(studio, {**SMALL, "from_task": "t_none"})

    assert error.error_name == "RENDER_FAILED"
    assert "t_none" in error.message.zh


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_killed_ffmpeg_is_a_failure_that_may_be_tried_again(
    studio: StoryboardHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_ffmpeg(tmp_path / "bin", "kill -9 $$", monkeypatch)

    error = await failure(studio, TWO)

    assert (error.error_name, error.can_retry, error.where) == ("RENDER_FAILED", True, "render")


async def test_failed_ffmpeg_is_quoted_in_the_advice(
    studio: StoryboardHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_ffmpeg(
        tmp_path / "bin", "head -c 9000 /dev/zero | tr '\\0' x >&2; echo no such filter >&2; exit 3", monkeypatch
    )

    error = await failure(studio, TWO)

    assert (error.error_name, error.can_retry) == ("RENDER_FAILED", False)
    assert error.advice is not None
    assert error.advice.en.endswith("no such filter")
    assert len(error.advice.en) < 700


async def test_full_disk_met_by_ffmpeg_has_its_name(
    studio: StoryboardHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A limit on the size of files, 1 KB: the system's answer to a write is the same as on a full quota.
    stand_in_for_ffmpeg(tmp_path / "bin", 'ulimit -f 2; exec "$REAL" "$@"', monkeypatch)

    error = await failure(studio, TWO)

    assert error.error_name == "DISK_FULL"


async def test_no_path_of_this_machine_is_quoted(
    studio: StoryboardHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_ffmpeg(tmp_path / "bin", 'rm -f *.rgba; exec "$REAL" "$@"', monkeypatch)

    error = await failure(studio, TWO)

    assert error.advice is not None
    assert "file:000.rgba" in error.advice.en
    assert str(tmp_path) not in error.advice.en
