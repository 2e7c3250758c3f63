"""The words of a card, drawn by Pillow into a transparent picture of raw RGBA, in short steps.

Raw and not PNG: packing a full-HD PNG takes longer than a step may, and ffmpeg reads raw pictures as they are.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from backend.generate.fonts import FontFile
from backend.generate.providers.storyboard.scenes import Scene

# Pixels written in one step: 1 MB of RGBA.
_BAND_PIXELS = 262_144
_REFERENCE_PX = 100
_LINE_HEIGHT = 1.4
_SHRINK = 0.88
_MIN_FONT_PX = 8
_TOKENS = re.compile(r"[!-~\u00c0-\u024f]+ *| +|.", re.DOTALL)
# A line of Chinese does not begin with these.
_NEVER_FIRST = frozenset("，。、；：！？）》」』】”’…·,.;:!?)]}")
_WHITE = (255, 255, 255, 255)
_SHADOW = (0, 0, 0, 170)
_BACKING = (0, 0, 0, 130)


@dataclass(frozen=True, slots=True)
class _Box:
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    x: float
    y: float
    font_px: int


class CardPainter:
    """Draws the cards of one film. Not for two threads at once."""

    def __init__(self, font: FontFile, *, width: int, height: int, title: str) -> None:
        self._file = font
        self._width = width
        self._height = height
        self._title = drawable(title)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._widths: dict[str, float] = {}

    def paint(self, scene: Scene, out: Path, *, has_picture: bool) -> Iterator[None]:
        """Write a card's words to `out`; each step of the iterator is short (tens of ms at 1080p)."""
        lines, backing = self._laid_out(scene, has_picture=has_picture)
        yield
        image = Image.new("RGBA", (self._width, self._height))
        draw = ImageDraw.Draw(image)
        if backing is not None:
            corner = (backing.left + backing.width, backing.top + backing.height)
            draw.rectangle(((backing.left, backing.top), corner), fill=_BACKING)
        for line in lines:
            font = self._font(line.font_px)
            yield
            shadow = max(1, line.font_px // 20)
            draw.text((line.x, line.y), line.text, _WHITE, font, "mm", stroke_width=shadow, stroke_fill=_SHADOW)
            yield
        band = max(1, _BAND_PIXELS // self._width)
        for top in range(0, self._height, band):
            part = image.crop((0, top, self._width, min(top + band, self._height)))
            with out.open("ab") as file:
                file.write(part.tobytes())
            yield

    def _laid_out(self, scene: Scene, *, has_picture: bool) -> tuple[list[_Line], _Box | None]:
        box = self._box(has_picture=has_picture)
        heading, body = drawable(scene.heading), drawable(scene.text)
        largest = int(self._height * (0.07 if has_picture else 0.11))
        rows = self._fitted(heading, body, box, max(_MIN_FONT_PX, min(largest, self._width // 8)))
        heights = _heights(rows)
        free = box.height - sum(heights)
        top = box.top + (free if has_picture else free / 2)
        lines = []
        for (text, font_px), height in zip(rows, heights, strict=True):
            lines.append(_Line(text, box.left + box.width / 2, top + font_px * _LINE_HEIGHT / 2, font_px))
            top += height
        backing = None
        if has_picture and rows:
            margin = self._height // 40
            used = int(sum(heights)) + 2 * margin
            backing = _Box(0, box.top + box.height + margin - used, self._width, used)
        return lines + self._title_line(), backing

    def _box(self, *, has_picture: bool) -> _Box:
        side, width, height = self._width // 12, self._width, self._height
        if has_picture:
            return _Box(side, int(height * 0.5), width - 2 * side, int(height * 0.42))
        return _Box(side, int(height * 0.16), width - 2 * side, int(height * 0.7))

    def _title_line(self) -> list[_Line]:
        if not self._title:
            return []
        font_px = max(_MIN_FONT_PX, self._height // 26)
        rows = self._wrapped(self._title, self._width * 0.9 / font_px)
        return [_Line(row, self._width / 2, self._height * 0.08, font_px) for row in rows[:1]]

    def _fitted(self, heading: str, body: str, box: _Box, font_px: int) -> list[tuple[str, int]]:
        """Return the rows at the largest size that fits; at the smallest, those that fit, with a mark of the cut."""
        while True:
            body_px = max(_MIN_FONT_PX, int(font_px * 0.7)) if heading else font_px
            rows = [(row, font_px) for row in self._wrapped(heading, box.width / font_px)]
            rows += [(row, body_px) for row in self._wrapped(body, box.width / body_px)]
            room = box.height
            if sum(_heights(rows)) <= room:
                return rows
            if font_px <= max(_MIN_FONT_PX, self._height // 30):
                return _cut(rows, room)
            font_px = max(_MIN_FONT_PX, int(font_px * _SHRINK))

    def _wrapped(self, text: str, width_em: float) -> list[str]:
        rows: list[str] = []
        for paragraph in text.splitlines():
            rows += self._balanced(paragraph, width_em)
        return [row for row in rows if row]

    def _balanced(self, paragraph: str, width_em: float) -> list[str]:
        """Return as few rows as the width allows, of about one length: no character stands alone on the last."""
        fewest = self._wrapped_paragraph(paragraph, width_em)
        narrow = self._width_em(paragraph) / len(fewest)
        while narrow < width_em:
            rows = self._wrapped_paragraph(paragraph, narrow)
            if len(rows) <= len(fewest):
                return rows
            narrow += max(1.0, width_em / 20)
        return fewest

    def _wrapped_paragraph(self, paragraph: str, width_em: float) -> list[str]:
        rows, row, used = [], "", 0.0
        for token in _TOKENS.findall(paragraph):
            for piece in self._pieces(token, width_em):
                width = self._width_em(piece)
                if row and used + width > width_em and piece not in _NEVER_FIRST:
                    rows.append(row.strip())
                    row, used = "", 0.0
                row, used = row + piece, used + width
        return [*rows, row.strip()]

    def _pieces(self, token: str, width_em: float) -> list[str]:
        # A word wider than the box is broken anywhere.
        return [token] if self._width_em(token.rstrip()) <= width_em else list(token)

    def _width_em(self, text: str) -> float:
        return sum(self._char_em(char) for char in text)

    def _char_em(self, char: str) -> float:
        if unicodedata.east_asian_width(char) in "WF":
            return 1.0
        if char not in self._widths:
            self._widths[char] = self._font(_REFERENCE_PX).getlength(char) / _REFERENCE_PX
        return self._widths[char]

    def _font(self, font_px: int) -> ImageFont.FreeTypeFont:
        if font_px not in self._fonts:
            self._fonts[font_px] = ImageFont.truetype(str(self._file.path), font_px, index=self._file.index)
        return self._fonts[font_px]


def _heights(rows: list[tuple[str, int]]) -> list[float]:
    """Return the height of each row; under a heading (its size is larger) is half a row of the text's free."""
    below = [font_px for _, font_px in rows[1:]] + [rows[-1][1]] if rows else []
    gaps = (next_px / 2 if font_px > next_px else 0.0 for (_, font_px), next_px in zip(rows, below, strict=True))
    return [font_px * _LINE_HEIGHT + gap for (_, font_px), gap in zip(rows, gaps, strict=True)]


def drawable(text: str) -> str:
    """Return the text without what a text font cannot draw: emoji, their joiners, control characters."""
    return "".join(char for char in text if char == "\n" or _is_drawable(char))


def _is_drawable(char: str) -> bool:
    if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return False
    # Variation selectors turn a sign into an emoji; the pictures themselves are in the planes above 1F000.
    return not ("\ufe00" <= char <= "\ufe0f" or "\U0001f000" <= char <= "\U0001faff")


def _cut(rows: list[tuple[str, int]], room: float) -> list[tuple[str, int]]:
    kept: list[tuple[str, int]] = []
    for text, font_px in rows:
        room -= font_px * _LINE_HEIGHT
        if room < 0 and kept:
            last, px = kept[-1]
            return [*kept[:-1], (last[:-1] + "…", px)]
        kept.append((text, font_px))
    return kept
