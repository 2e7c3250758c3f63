import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from backend.generate.fonts import FontFile, find_cjk_font
from backend.generate.providers.storyboard.cards import CardPainter, drawable
from backend.generate.providers.storyboard.scenes import Scene, shortened

PRIVATE_USE = "\ue123"


@pytest.fixture(scope="module", params=["system", "package"])
def font(request: pytest.FixtureRequest) -> FontFile:
    found = find_cjk_font() if request.param == "system" else find_cjk_font([])
    assert found is not None
    return found


def painted(
    font: FontFile, tmp_path: Path, text: str, *, size: tuple[int, int] = (320, 180), title: str = "", heading: str = ""
) -> Image.Image:
    return card(font, tmp_path, Scene(text, heading), size=size, title=title, has_picture=False)


def card(
    font: FontFile, tmp_path: Path, scene: Scene, *, size: tuple[int, int], title: str, has_picture: bool
) -> Image.Image:
    width, height = size
    out = tmp_path / "card.rgba"
    out.unlink(missing_ok=True)
    for _ in CardPainter(font, width=width, height=height, title=title).paint(scene, out, has_picture=has_picture):
        pass
    return Image.frombytes("RGBA", size, out.read_bytes())


def differ(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one.getchannel("A"), other.getchannel("A")).getbbox() is not None


def test_chinese_is_drawn_and_not_boxes(font: FontFile, tmp_path: Path) -> None:
    one, other, twin = (painted(font, tmp_path, text) for text in ("海", "夜", "海"))

    assert one.getbbox() is not None
    assert differ(one, other)
    assert not differ(one, twin)


def test_glyph_is_not_the_one_of_a_missing_character(font: FontFile) -> None:
    painter = CardPainter(font, width=320, height=180, title="")

    masks = {char: bytes(painter._font(40).getmask(char)) for char in ("海", "滩", PRIVATE_USE)}

    assert len(set(masks.values())) == 3


@pytest.mark.parametrize("text", ["", "字" * 500, "word " * 100, "w" * 500, "短\n行", "\n\n", "مرحبا", "😀", "a\tb"])
@pytest.mark.parametrize("size", [(160, 90), (90, 160), (1280, 720)])
def test_any_text_stays_inside_the_card(font: FontFile, tmp_path: Path, text: str, size: tuple[int, int]) -> None:
    width, height = size

    box = painted(font, tmp_path, text, size=size).getbbox()

    assert box is None or (box[0] >= width * 0.02 and box[2] <= width * 0.98 and box[3] <= height)


def test_title_and_heading_are_drawn_too(font: FontFile, tmp_path: Path) -> None:
    plain = painted(font, tmp_path, "正文")
    titled = painted(font, tmp_path, "正文", title="片名")
    headed = painted(font, tmp_path, "正文", heading="标题")

    assert differ(plain, titled)
    assert differ(plain, headed)
    assert differ(titled, headed)


def test_words_on_a_picture_have_a_dark_band_behind_them(font: FontFile, tmp_path: Path) -> None:
    image = card(font, tmp_path, Scene("海边"), size=(320, 180), title="", has_picture=True)

    band = image.getbbox()
    assert band is not None
    assert band[0] == 0
    assert band[1] > 90
    assert image.getpixel((2, band[1] + 2)) == (0, 0, 0, 130)


def test_last_row_is_not_a_single_character(font: FontFile) -> None:
    painter = CardPainter(font, width=320, height=180, title="")

    rows = painter._wrapped("清晨的海边，浪花轻轻拍着沙滩", 13.0)

    assert [len(row) for row in rows] == [7, 7]


def test_row_does_not_begin_with_a_comma(font: FontFile) -> None:
    painter = CardPainter(font, width=320, height=180, title="")

    rows = painter._wrapped("春夏秋冬，东西南北，上下左右", 4.0)

    assert not any(row.startswith("，") for row in rows)


def test_words_are_not_broken_where_they_fit(font: FontFile) -> None:
    painter = CardPainter(font, width=320, height=180, title="")

    assert painter._wrapped("camping lanterns", 5.0) == ["camping", "lanterns"]


@pytest.mark.parametrize(
    ("text", "kept"), [("海😀边", "海边"), ("a\u200db\ufe0f", "ab"), ("一\n二", "一\n二"), ("\x00\x1b[31m", "[31m")]
)
def test_what_the_font_cannot_draw_is_left_out(text: str, kept: str) -> None:
    assert drawable(text) == kept


def test_long_text_is_painted_in_short_steps(font: FontFile, tmp_path: Path) -> None:
    painter = CardPainter(font, width=1920, height=1080, title="片名")
    steps = painter.paint(Scene("海" * 500), tmp_path / "x.rgba", has_picture=False)

    took = []
    start = time.thread_time()
    for _ in steps:
        took.append(time.thread_time() - start)
        start = time.thread_time()

    # Processor time of this thread: how busy the machine is plays no part.
    assert max(took) < 0.1
    assert len(took) > 10


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("短", "短"),
        ("  a \n b\t", "a b"),
        ("一二三四五六七。八九十一二三", "一二三四五六七。"),
        ("一二三四五六七八九十一二三", "一二三四五六七八九…"),
        ("", ""),
    ],
)
def test_text_is_shortened_after_a_sentence(text: str, short: str) -> None:
    assert shortened(text, 10) == short
