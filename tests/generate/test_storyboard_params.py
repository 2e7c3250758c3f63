from typing import Any

import pytest
from pydantic import ValidationError

from backend.generate.providers.storyboard import create
from backend.generate.providers.storyboard.params import StoryboardParams
from backend.services.field_problems import problems_of

SCENES = [{"text": "一"}]


def refused(**params: Any) -> dict[str, str]:
    """The refused fields and their codes."""
    with pytest.raises(ValidationError) as caught:
        StoryboardParams.model_validate(params)
    return {one.path: one.code for one in problems_of(caught.value, prefix="params")}


def test_defaults_are_720p_30_frames_and_3_seconds() -> None:
    params = StoryboardParams.model_validate({"scenes": SCENES})

    assert (params.width_height, params.fps, params.seconds_per_scene) == ((1280, 720), 30, 3)


@pytest.mark.parametrize(
    ("params", "problems"),
    [
        ({}, {"params.scenes": "REQUIRED"}),
        ({"scenes": SCENES, "from_task": "t_1"}, {"params.scenes": "EXACTLY_ONE"}),
        ({"script": "一", "from_task": "t_1"}, {"params.scenes": "EXACTLY_ONE"}),
        ({"script": " \n "}, {"params.scenes": "REQUIRED"}),
        ({"scenes": []}, {"params.scenes": "TOO_FEW"}),
        ({"scenes": SCENES * 101}, {"params.scenes": "TOO_MANY"}),
        ({"script": "一\n" * 101}, {"params.script": "TOO_MANY"}),
        ({"script": "一\n" + "字" * 501}, {"params.script": "TOO_LONG"}),
        ({"script": "字" * 3_000}, {"params.script": "TOO_LONG"}),
        ({"scenes": [{"text": " "}]}, {"params.scenes.0.text": "TOO_SHORT"}),
        ({"scenes": [{"text": "字" * 501}]}, {"params.scenes.0.text": "TOO_LONG"}),
        ({"scenes": [{"text": "一", "img": "x"}]}, {"params.scenes.0.img": "UNKNOWN_FIELD"}),
        ({"scenes": [{"text": "一", "image": "file:///etc/passwd"}]}, {"params.scenes.0.image": "SCHEME_REFUSED"}),
        ({"scenes": [{"text": "一", "image": "http://"}]}, {"params.scenes.0.image": "SCHEME_REFUSED"}),
        ({"scenes": [{"text": "一", "image": "http://[::1"}]}, {"params.scenes.0.image": "SCHEME_REFUSED"}),
        ({"from_task": "../x"}, {"params.from_task": "BAD_FORMAT"}),
        ({"scenes": SCENES, "title": "题" * 101}, {"params.title": "TOO_LONG"}),
        ({"scenes": SCENES, "fps": 0}, {"params.fps": "TOO_SMALL"}),
        ({"scenes": SCENES, "fps": 61}, {"params.fps": "TOO_LARGE"}),
        ({"scenes": SCENES, "seconds_per_scene": 0.5}, {"params.seconds_per_scene": "TOO_SMALL"}),
        ({"scenes": SCENES, "seconds_per_scene": 31}, {"params.seconds_per_scene": "TOO_LARGE"}),
        ({"scenes": SCENES, "seconds_per_scene": float("nan")}, {"params.seconds_per_scene": "NOT_A_NUMBER"}),
        ({"scenes": SCENES, "sise": "1280x720"}, {"params.sise": "UNKNOWN_FIELD"}),
    ],
)
def test_bad_parameters_are_refused_by_field(params: dict[str, Any], problems: dict[str, str]) -> None:
    assert refused(**params) == problems


@pytest.mark.parametrize(
    "size", ["1280X720", "1280x721", "88x720", "1280x1922", "1280", "１２８０x720", "-2x90", "", "9" * 50]
)
def test_size_is_two_even_numbers(size: str) -> None:
    assert refused(scenes=SCENES, size=size) == {"params.size": "BAD_FORMAT"}


@pytest.mark.parametrize(
    ("line", "text", "image"),
    [
        ("海边", "海边", None),
        ("海边 https://x.example/a.png", "海边", "https://x.example/a.png"),
        ("海边https://x.example/a.png", "海边https://x.example/a.png", None),
        ("看 https://x.example 这里", "看 https://x.example 这里", None),
        ("https://x.example/a.png", "https://x.example/a.png", None),
    ],
)
def test_picture_of_a_line_is_the_url_at_its_end(line: str, text: str, image: str | None) -> None:
    scenes = StoryboardParams(script=line).written_scenes()

    assert [(one.text, one.image) for one in scenes] == [(text, image)]


def test_emptied_fields_of_the_form_count_as_not_given() -> None:
    params = StoryboardParams.model_validate({"script": "一", "from_task": "", "scenes": None, "title": ""})

    assert [one.text for one in params.written_scenes()] == ["一"]


def test_schema_draws_a_form() -> None:
    properties = StoryboardParams.model_json_schema()["properties"]

    assert all({"zh", "en"} <= set(one["x-i18n"]) for one in properties.values())
    assert sorted(one["x-ui"]["order"] for one in properties.values()) == list(range(1, len(properties) + 1))
    assert properties["script"]["x-ui"]["widget"] == "textarea"
    assert "720x1280" in properties["size"]["enum"]
    assert set(properties["size"]["x-enum-titles"]) == set(properties["size"]["enum"])


def test_examples_run_as_they_are() -> None:
    (video,) = create({}).info.types

    for example in video.examples:
        assert StoryboardParams.model_validate(dict(example.params)).written_scenes()
