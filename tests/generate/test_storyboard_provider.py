import pytest

from backend.generate import media
from backend.generate.providers import storyboard
from backend.generate.providers.storyboard import Storyboard
from backend.generate.registry import load_providers


def test_it_is_found_by_its_folder_and_is_available_here() -> None:
    found = load_providers({})["storyboard"]

    assert found.availability().available
    assert found.info.default_type == "video"


def test_it_says_that_it_is_no_model() -> None:
    (video,) = storyboard.create({}).info.types

    assert "不是 AI 模型" in video.title.zh
    assert "not by an AI model" in video.title.en


def test_without_ffmpeg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(media, "find_spec", lambda _: None)

    availability = storyboard.create({}).availability()

    assert (availability.available, availability.reason) == (False, "NO_FFMPEG")
    assert availability.advice is not None
    assert "ffmpeg" in availability.advice.zh


def test_without_pillow_it_is_listed_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storyboard, "find_spec", lambda _: None)

    availability = storyboard.create({}).availability()

    assert (availability.available, availability.reason) == (False, "NOT_BUILT")


def test_without_a_chinese_font_it_says_so() -> None:
    availability = Storyboard(None).availability()

    assert (availability.available, availability.reason) == (False, "NO_FONT")
