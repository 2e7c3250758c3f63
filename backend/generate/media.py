"""What a media file is: its type by its first bytes, its facts by ffprobe (or ffmpeg alone), its poster frame.

Files may come from outside. So a demuxer is never guessed by ffmpeg: it is named after sniffing, and only files may be
opened. A playlist dressed up as a film could otherwise make ffmpeg read other files or call other hosts.
"""

import os
import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from backend.core.children import Children, Finished
from backend.core.threads import in_thread
from backend.domain.errors import TaskFailedError
from backend.domain.task import Stage
from backend.domain.text import Text

# Both names are ffmpeg's own, for `-f`.
DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "image/png": "png_pipe",
    "image/jpeg": "jpeg_pipe",
    "image/gif": "gif",
    "image/webp": "webp_pipe",
}
_PICTURE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
_HEAD_BYTES = 64
_PROBE_LIMIT_S = 30.0
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What is in a media file; None where it is not known, or makes no sense (the duration of a picture)."""

    media_type: str
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of this machine; None where there is none."""

    ffmpeg: Path | None
    ffprobe: Path | None


def find_programs() -> Programs:
    """Return the system's ffmpeg and ffprobe; without them the ffmpeg of the imageio-ffmpeg package (no ffprobe)."""
    ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
    return Programs(Path(ffmpeg) if ffmpeg else _packaged_ffmpeg(), Path(ffprobe) if ffprobe else None)


def find_ffmpeg() -> Path | None:
    """Return the ffmpeg to use, or None when this machine has none."""
    return find_programs().ffmpeg


def sniff(head: bytes) -> str | None:
    """Return the media type that the first 64 bytes of a file say, or None for one we do not handle."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:_HEAD_BYTES] else None
    return _type_of_iso_file(head)


async def sniff_file(path: Path) -> str | None:
    """Return the media type of a file by its first bytes, or None."""
    return sniff(await in_thread(lambda: _head_of(path)))


async def probe(children: Children, path: Path, *, programs: Programs | None = None) -> MediaFacts:
    """Return the facts of a media file. Without ffmpeg on this machine only its type is known.

    Raises TaskFailedError: CONTENT_TYPE for a file of no known type, PARSE_FAILED for one that cannot be read.
    """
    programs = programs or find_programs()
    media_type = await sniff_file(path)
    if media_type is None:
        raise TaskFailedError(
            "CONTENT_TYPE", Text("文件不是视频或图片", "The file is neither video nor picture"), where=Stage.DOWNLOAD
        )
    if programs.ffprobe is not None:
        return await _probe_by_ffprobe(children, programs.ffprobe, path, media_type)
    if programs.ffmpeg is not None:
        return await _probe_by_ffmpeg(children, programs.ffmpeg, path, media_type)
    return MediaFacts(media_type)


async def poster(children: Children, video: Path, out: Path, *, at_s: float = 0.0) -> bool:
    """Write the frame at `at_s` as a JPEG to `out`; False when this machine has no ffmpeg.

    Raises TaskFailedError: CONTENT_TYPE or PARSE_FAILED when the video cannot be read.
    """
    ffmpeg, media_type = find_ffmpeg(), await sniff_file(video)
    if ffmpeg is None:
        return False
    source = ("-ss", f"{at_s:.3f}", *_opened(video, media_type or ""))
    frame = ("-frames:v", "1", "-threads", "1", "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")
    argv = (str(ffmpeg), "-nostdin", "-v", "error", "-y", "-threads", "1", *source, *frame)
    finished = await _run(children, video, (*argv, "-f", "image2", "-update", "1", str(out)))
    if finished.returncode != 0 or not await in_thread(out.exists):
        raise _unreadable(video, finished.stderr_tail)
    return True


def _packaged_ffmpeg() -> Path | None:
    # Not imageio_ffmpeg.get_ffmpeg_exe: that starts the program to try it, and blocks the loop meanwhile.
    spec = find_spec("imageio_ffmpeg")
    if spec is None or spec.origin is None:
        return None
    found = sorted((Path(spec.origin).parent / "binaries").glob("ffmpeg-*"))
    return next((one for one in found if os.access(one, os.X_OK)), None)


def _type_of_iso_file(head: bytes) -> str | None:
    if head[4:8] != b"ftyp" or head[8:12] in _PICTURE_BRANDS:
        return None
    return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _opened(path: Path, media_type: str) -> tuple[str, ...]:
    return ("-protocol_whitelist", "file", "-f", DEMUXERS.get(media_type, "mov"), "-i", f"file:{path}")


async def _run(children: Children, path: Path, argv: tuple[str, ...]) -> Finished:
    try:
        return await children.run(argv, timeout_s=_PROBE_LIMIT_S, niceness=_NICENESS)
    except TimeoutError as error:
        raise _unreadable(path, str(error)) from error


class _Stream(BaseModel):
    codec_type: str = ""
    codec_name: str | None = None
    width: int | None = None
    height: int | None = None
    avg_frame_rate: str = "0/0"


class _Format(BaseModel):
    duration: float | None = None


class _Report(BaseModel):
    """The part of `ffprobe -of json` that we read."""

    streams: list[_Stream] = Field(default_factory=list)
    format: _Format = Field(default_factory=_Format)

    def first(self, codec_type: str) -> _Stream | None:
        return next((one for one in self.streams if one.codec_type == codec_type), None)


async def _probe_by_ffprobe(children: Children, ffprobe: Path, path: Path, media_type: str) -> MediaFacts:
    what = ("-show_entries", "format=duration:stream=codec_type,codec_name,width,height,avg_frame_rate", "-of", "json")
    finished = await _run(children, path, (str(ffprobe), "-v", "error", *what, *_opened(path, media_type)))
    if finished.returncode != 0:
        raise _unreadable(path, finished.stderr_tail)
    try:
        report = _Report.model_validate_json(finished.stdout)
    except ValidationError as error:
        raise _unreadable(path, "ffprobe answered something else") from error
    video, audio = report.first("video"), report.first("audio")
    if video is None or not video.width or not video.height:
        raise _unreadable(path, "no picture in it")
    facts = MediaFacts(media_type, video.width, video.height, video_codec=video.codec_name)
    if media_type.startswith("image/"):
        return facts
    return MediaFacts(
        media_type,
        video.width,
        video.height,
        report.format.duration,
        _rate(video.avg_frame_rate),
        video.codec_name,
        audio.codec_name if audio else None,
    )


def _rate(fraction: str) -> float | None:
    above, _, below = fraction.partition("/")
    if not above.isdecimal() or not below.isdecimal() or int(below) == 0:
        return None
    return round(int(above) / int(below), 3)


_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_VIDEO = re.compile(r"Stream #\S+: Video: (\w+).*?[ ,](\d{1,5})x(\d{1,5})[ ,\n]")
_FPS = re.compile(r"Stream #\S+: Video: .*?([\d.]+) fps")
_AUDIO = re.compile(r"Stream #\S+: Audio: (\w+)")


async def _probe_by_ffmpeg(children: Children, ffmpeg: Path, path: Path, media_type: str) -> MediaFacts:
    # Without an output ffmpeg prints what it opened to stderr and ends with 1: the exit code says nothing.
    finished = await _run(children, path, (str(ffmpeg), "-nostdin", "-hide_banner", *_opened(path, media_type)))
    said = finished.stderr_tail
    video, audio, fps, duration = (one.search(said) for one in (_VIDEO, _AUDIO, _FPS, _DURATION))
    if video is None:
        raise _unreadable(path, said)
    codec, width, height = video[1], int(video[2]), int(video[3])
    if media_type.startswith("image/"):
        return MediaFacts(media_type, width, height, video_codec=codec)
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None
    rate = float(fps[1]) if fps else None
    return MediaFacts(media_type, width, height, seconds, rate, codec, audio[1] if audio else None)


def _unreadable(path: Path, detail: str) -> TaskFailedError:
    # What ffmpeg says ends up on the record: the folders of this machine do not.
    detail = detail.replace(str(path), path.name)
    return TaskFailedError(
        "PARSE_FAILED",
        Text("媒体文件无法读取", "The media file cannot be read"),
        where=Stage.DOWNLOAD,
        advice=Text(detail[-500:], detail[-500:]) if detail else None,
    )
