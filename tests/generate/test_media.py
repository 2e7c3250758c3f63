import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tornado.ioloop

from backend.core.children import Children
from backend.domain.errors import TaskFailedError
from backend.generate import media
from backend.generate.media import MediaFacts, Programs, find_ffmpeg, find_programs, poster, probe, sniff, sniff_file

SOURCE = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=1"]
SOUND = ["-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo", "-t", "1"]


@pytest.fixture
def children(io_loop: tornado.ioloop.IOLoop) -> Iterator[Children]:
    keeper = Children()
    io_loop.run_sync(keeper.start)
    yield keeper
    io_loop.run_sync(keeper.stop)


def made_by_ffmpeg(path: Path, *arguments: str) -> Path:
    ffmpeg = find_ffmpeg()
    assert ffmpeg is not None
    subprocess.run([str(ffmpeg), "-v", "error", "-y", *arguments, str(path)], check=True)
    return path


def beginning_of(video: Path, cut: Path) -> Path:
    cut.write_bytes(video.read_bytes()[:500])
    return cut


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return made_by_ffmpeg(path, *SOURCE, *SOUND, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")


@pytest.fixture(params=["ffprobe", "ffmpeg alone"])
def programs(request: pytest.FixtureRequest) -> Programs:
    found = find_programs()
    if request.param == "ffmpeg alone":
        return dataclasses.replace(found, ffprobe=None)
    if found.ffprobe is None:
        pytest.skip("no ffprobe on this machine")
    return found


async def test_facts_of_a_video(children: Children, video: Path, programs: Programs) -> None:
    facts = await probe(children, video, programs=programs)

    assert dataclasses.replace(facts, duration_s=None) == MediaFacts(
        "video/mp4", 160, 90, None, 10.0, video_codec="h264", audio_codec="aac"
    )
    assert facts.duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("suffix", "media_type"), [("png", "image/png"), ("jpg", "image/jpeg"), ("gif", "image/gif")])
async def test_facts_of_a_picture(
    children: Children, tmp_path: Path, programs: Programs, suffix: str, media_type: str
) -> None:
    picture = made_by_ffmpeg(tmp_path / f"one.{suffix}", *SOURCE, "-frames:v", "1")

    facts = await probe(children, picture, programs=programs)

    assert (facts.media_type, facts.width, facts.height) == (media_type, 160, 90)
    assert (facts.duration_s, facts.fps) == (None, None)


async def test_facts_of_a_webm(children: Children, tmp_path: Path, programs: Programs) -> None:
    webm = made_by_ffmpeg(tmp_path / "clip.webm", *SOURCE, "-c:v", "libvpx", "-deadline", "realtime")

    facts = await probe(children, webm, programs=programs)

    assert (facts.media_type, facts.width, facts.height, facts.fps) == ("video/webm", 160, 90, 10.0)


async def test_only_the_type_is_known_without_ffmpeg(children: Children, video: Path) -> None:
    assert await probe(children, video, programs=Programs(None, None)) == MediaFacts("video/mp4")


async def test_truncated_video_cannot_be_read(
    children: Children, video: Path, tmp_path: Path, programs: Programs
) -> None:
    cut = beginning_of(video, tmp_path / "cut.mp4")

    with pytest.raises(TaskFailedError) as caught:
        await probe(children, cut, programs=programs)

    assert caught.value.error_name == "PARSE_FAILED"
    assert caught.value.advice is not None
    assert str(tmp_path) not in caught.value.advice.en


async def test_page_of_html_is_no_media(children: Children, tmp_path: Path) -> None:
    page = tmp_path / "clip.mp4"
    page.write_bytes(b"<!doctype html><title>404</title>")

    with pytest.raises(TaskFailedError) as caught:
        await probe(children, page)

    assert caught.value.error_name == "CONTENT_TYPE"


async def test_playlist_is_no_media(children: Children, tmp_path: Path, video: Path) -> None:
    playlist = tmp_path / "clip.mp4"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{video}\n#EXT-X-ENDLIST\n")

    with pytest.raises(TaskFailedError) as caught:
        await probe(children, playlist)

    assert caught.value.error_name == "CONTENT_TYPE"


async def test_demuxer_is_named_and_not_guessed(children: Children, tmp_path: Path, video: Path) -> None:
    # The head of a film, the rest of a playlist: ffmpeg must not look for a demuxer that likes it better.
    mixed = tmp_path / "clip.mp4"
    mixed.write_bytes(b"\x00\x00\x00\x18ftypisom" + f"\n#EXTM3U\n#EXTINF:1,\nfile://{video}\n".encode())

    with pytest.raises(TaskFailedError) as caught:
        await probe(children, mixed)

    assert caught.value.error_name == "PARSE_FAILED"


async def test_poster_is_a_jpeg_of_the_videos_size(children: Children, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "poster.jpg.part"

    assert await poster(children, video, out, at_s=0.5)

    facts = await probe(children, out)
    assert (facts.media_type, facts.width, facts.height) == ("image/jpeg", 160, 90)


async def test_poster_after_the_end_is_an_error(children: Children, video: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError):
        await poster(children, video, tmp_path / "poster.jpg.part", at_s=60)


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x20ftypavif", None),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x82\x88matroska", None),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"", None),
        (b"<html>", None),
    ],
)
def test_type_is_read_from_the_first_bytes(head: bytes, media_type: str | None) -> None:
    assert sniff(head) == media_type


async def test_empty_file_has_no_type(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()

    assert await sniff_file(empty) is None


def test_packaged_ffmpeg_serves_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    found = find_programs()

    assert found.ffprobe is None
    assert found.ffmpeg is not None
    assert "imageio_ffmpeg" in str(found.ffmpeg)


async def test_packaged_ffmpeg_reads_a_video(children: Children, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    facts = await probe(children, video)

    assert (facts.width, facts.height, facts.fps, facts.video_codec) == (160, 90, 10.0, "h264")


async def test_probe_that_takes_too_long_is_an_error(
    children: Children, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_PROBE_LIMIT_S", 0.0)

    with pytest.raises(TaskFailedError) as caught:
        await probe(children, video)

    assert caught.value.error_name == "PARSE_FAILED"
