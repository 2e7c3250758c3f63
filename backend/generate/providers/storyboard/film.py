"""The orders to ffmpeg: one filter graph a scene, then the scenes in one file.

Each scene is a segment of its own with exactly `scene_frames` frames, so memory is that of two scenes however many
there are, and a cancel has little to throw away. A segment begins with the cross-fade from the scene before it, whose
move goes on meanwhile. The segments have the same encoding, and are joined without encoding again.
"""

import os
from dataclasses import dataclass
from pathlib import Path

# Half a second of cross-fade, but never more than a third of a scene.
_FADE_S = 0.5
_ZOOM = 0.12
# What moves is drawn larger than the film: whole pixels of it are parts of a pixel of the film, so moves are smooth.
_SMOOTH_PIXELS = 1_000_000
_GRADIENT_SIZE = (48, 27)
# Pairs of dark colours, from the upper left to the lower right: white words stay readable on all of them.
_COLOURS = (
    ((19, 47, 76), (38, 112, 130)),
    ((68, 26, 84), (170, 60, 90)),
    ((14, 60, 50), (70, 120, 60)),
    ((84, 36, 20), (180, 110, 40)),
    ((24, 24, 62), (96, 70, 160)),
    ((50, 54, 60), (110, 120, 132)),
)


@dataclass(frozen=True, slots=True)
class Film:
    """The measures of a film: pixels and frames."""

    width: int
    height: int
    fps: int
    scene_frames: int
    scene_count: int

    @property
    def fade_frames(self) -> int:
        """How long a cross-fade is; 0 means a hard cut."""
        return min(round(_FADE_S * self.fps), self.scene_frames // 3)

    @property
    def frames(self) -> int:
        """How long the film is."""
        return self.scene_frames * self.scene_count

    @property
    def large(self) -> tuple[int, int]:
        """The size at which a background is kept."""
        times = 2.0 if self.width * self.height <= _SMOOTH_PIXELS else 1.5
        return int(self.width * times) // 2 * 2, int(self.height * times) // 2 * 2


@dataclass(frozen=True, slots=True)
class Card:
    """A drawn scene, as names of files in the work folder: a background (raw RGB) and its words (raw RGBA)."""

    number: int
    background: str
    background_size: tuple[int, int]
    words: str


def gradient(number: int) -> tuple[bytes, tuple[int, int]]:
    """Return a small raw RGB picture, from one dark colour to another, and its size; ffmpeg makes it large."""
    (width, height), (one, other) = _GRADIENT_SIZE, _COLOURS[number % len(_COLOURS)]
    parts = (((x / width) + (y / height)) / 2 for y in range(height) for x in range(width))
    pixels = bytes(round(a + (b - a) * part) for part in parts for a, b in zip(one, other, strict=True))
    return pixels, _GRADIENT_SIZE


def picture_order(ffmpeg: Path, film: Film, *, demuxer: str, source: str, out: str, max_pixels: int) -> list[str]:
    """Return the order that decodes an outside picture and cuts it to the background's size.

    In a child, because a decoder is no place for outside bytes to meet our process, and a child can be killed.
    """
    width, height = film.large
    fit = f"scale={width}:{height}:force_original_aspect_ratio=increase:flags=bicubic,crop={width}:{height}"
    reading = ["-protocol_whitelist", "file", "-max_pixels", str(max_pixels), "-f", demuxer, "-i", f"file:{source}"]
    writing = ["-frames:v", "1", "-vf", f"{fit},format=rgb24", "-f", "rawvideo", f"file:{out}"]
    return [*_program(ffmpeg), *reading, *writing]


def segment_order(ffmpeg: Path, film: Film, card: Card, *, before: Card | None, out: str) -> list[str]:
    """Return the order that renders one scene, with the cross-fade from the scene before it."""
    fade = film.fade_frames if before is not None else 0
    inputs = _inputs(film, card)
    graph = _scene_graph(film, card, first_input=0, start=0, frames=film.scene_frames, label="b")
    if before is not None and fade:
        inputs += _inputs(film, before)
        graph += _scene_graph(film, before, first_input=2, start=film.scene_frames, frames=fade, label="a")
        graph += f"[a][b]xfade=transition=fade:duration={fade / film.fps:.6f}:offset=0,format=yuv420p[film]"
    else:
        graph += "[b]format=yuv420p[film]"
    colours = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-threads", str(_threads()), *colours]
    # One time base for all segments: they are joined as they are.
    shape = ["-r", str(film.fps), "-video_track_timescale", str(film.fps * 512), "-f", "mp4", f"file:{out}"]
    mapped = ["-map", "[film]", "-frames:v", str(film.scene_frames)]
    return [*_program(ffmpeg), "-progress", "pipe:1", *inputs, "-filter_complex", graph, *mapped, *coding, *shape]


def joining_order(ffmpeg: Path, *, listing: str, out: str) -> list[str]:
    """Return the order that joins the segments of a listing, with the index at the front (for the web)."""
    reading = ["-protocol_whitelist", "file", "-f", "concat", "-i", f"file:{listing}"]
    return [*_program(ffmpeg), *reading, "-c", "copy", "-movflags", "+faststart", "-f", "mp4", f"file:{out}"]


def listing_of(film: Film, segments: list[str]) -> str:
    """Return the text of the listing; lengths are named so that none is guessed."""
    seconds = film.scene_frames / film.fps
    return "ffconcat version 1.0\n" + "".join(f"file '{name}'\nduration {seconds:.6f}\n" for name in segments)


def _program(ffmpeg: Path) -> list[str]:
    threads = str(_threads())
    return [
        str(ffmpeg),
        "-nostdin",
        "-y",
        "-v",
        "error",
        "-filter_complex_threads",
        threads,
        "-filter_threads",
        threads,
    ]


def _threads() -> int:
    # One core stays free for the server, and a film never takes a large machine whole.
    return max(1, min(4, (os.cpu_count() or 2) - 1))


def _inputs(film: Film, card: Card) -> list[str]:
    return [
        *_raw("rgb24", card.background_size, film.fps, card.background),
        *_raw("rgba", (film.width, film.height), film.fps, card.words),
    ]


def _raw(pixel_format: str, size: tuple[int, int], fps: int, name: str) -> list[str]:
    shape = ["-pixel_format", pixel_format, "-video_size", f"{size[0]}x{size[1]}", "-framerate", str(fps)]
    return ["-f", "rawvideo", *shape, "-i", f"file:{name}"]


def _scene_graph(film: Film, card: Card, *, first_input: int, start: int, frames: int, label: str) -> str:
    (width, height), (zoom, x, y) = film.large, _move(film, card.number, start)
    size, colours = f"{film.width}x{film.height}", "out_color_matrix=bt709:out_range=tv"
    moving = f"zoompan=z='{zoom}':x='{x}':y='{y}':d={frames}:s={size}:fps={film.fps}"
    return (
        f"[{first_input}]scale={width}:{height}:flags=bicubic:{colours},format=yuv444p,{moving},setsar=1[{label}0];"
        f"[{first_input + 1}]scale={colours},format=yuva444p[{label}1];"
        f"[{label}0][{label}1]overlay=0:0:format=yuv444,settb=1/{film.fps}[{label}];"
    )


def _move(film: Film, number: int, start: int) -> tuple[str, str, str]:
    """Return zoom, x and y over the frames of a scene's life (its own and the cross-fade after it)."""
    part = f"(on+{start})/{film.scene_frames + film.fade_frames}"
    middle_x, middle_y = "(iw-iw/zoom)/2", "(ih-ih/zoom)/2"
    moves = (
        (f"1+{_ZOOM}*{part}", middle_x, middle_y),
        (f"{1 + _ZOOM}", f"(iw-iw/zoom)*{part}", middle_y),
        (f"{1 + _ZOOM}-{_ZOOM}*{part}", middle_x, middle_y),
        (f"{1 + _ZOOM}", f"(iw-iw/zoom)*(1-{part})", middle_y),
    )
    return moves[number % len(moves)]
