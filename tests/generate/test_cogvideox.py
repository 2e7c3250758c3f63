import subprocess
import sys
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from backend.core.logs import captured_log
from backend.core.settings import SettingsError
from backend.domain.platform import DropsParams
from backend.domain.task import TaskStatus
from backend.generate.providers.cogvideox import VideoParams, create
from backend.generate.zhipu import ZhipuAccount
from tests.fixtures.generation import API_KEY, GenerationHouse

PICTURE = "https://example.org/a.png"
BASE64 = "data:image/png;base64," + "iVBORw0KGgo" * 12


def problem_of(params: dict[str, Any]) -> tuple[str, str]:
    """Where and why the parameters are refused."""
    with pytest.raises(ValidationError) as caught:
        VideoParams.model_validate(params)
    first = caught.value.errors()[0]
    return ".".join(map(str, first["loc"])), first["type"]


# -- parameters ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({}, "image_url"),
        ({"prompt": "   "}, "image_url"),
        ({"prompt": "a" * 513}, "prompt"),
        ({"prompt": "a", "model": "sora"}, "model"),
        ({"prompt": "a", "keyword": 1}, "keyword"),
        ({"prompt": "a", "image_url": "ftp://example.org/a.png"}, "image_url.0"),
        ({"prompt": "a", "image_url": "not a picture"}, "image_url.0"),
        ({"prompt": "a", "image_url": [PICTURE, PICTURE]}, "image_url"),
        ({"prompt": "a", "model": "cogvideox-2", "size": "1280x720"}, "size"),
        ({"prompt": "a", "model": "cogvideox-3", "size": "huge"}, "size"),
        ({"prompt": "a", "model": "cogvideox-3", "fps": 25}, "fps"),
        ({"prompt": "a", "duration": 7}, "duration"),
        ({"prompt": "a", "model": "cogvideox-3", "quality": "quality", "image_url": [PICTURE, PICTURE]}, "image_url"),
        ({"model": "viduq1-text"}, "prompt"),
        ({"model": "viduq1-text", "prompt": "a", "image_url": PICTURE}, "image_url"),
        ({"model": "viduq1-image", "prompt": "a"}, "image_url"),
        ({"model": "vidu2-start-end", "image_url": PICTURE}, "image_url"),
        ({"prompt": "a", "user_id": "short"}, "user_id"),
    ],
)
def test_parameters_a_model_cannot_use_are_refused_where_they_are(params: dict[str, Any], where: str) -> None:
    assert problem_of(params)[0] == where


@pytest.mark.parametrize(
    "params",
    [
        {"prompt": "a"},
        {"image_url": PICTURE},
        {"image_url": BASE64},
        {"model": "cogvideox-3", "image_url": [PICTURE, PICTURE], "quality": "speed"},
        {"model": "cogvideox-3", "prompt": "a", "size": "1280x720", "fps": 60, "duration": 10},
        {"model": "viduq1-text", "prompt": "a", "style": "anime", "aspect_ratio": "9:16"},
        {"model": "viduq1-start-end", "image_url": [PICTURE, PICTURE]},
        {"model": "vidu2-reference", "prompt": "a", "image_url": [PICTURE, PICTURE, PICTURE]},
    ],
)
def test_parameters_a_model_takes_are_taken(params: dict[str, Any]) -> None:
    assert VideoParams.model_validate(params).ignored() == ()


def test_what_flash_does_not_take_is_dropped_and_named() -> None:
    params = VideoParams.model_validate({"prompt": "a", "quality": "quality", "size": "1920x1080", "fps": 60})

    assert isinstance(params, DropsParams)
    assert params.ignored() == ("quality", "size", "fps")
    assert params.request() == {"model": "cogvideox-flash", "prompt": "a"}


def test_one_picture_is_sent_as_a_string_and_two_as_a_list() -> None:
    one = VideoParams.model_validate({"image_url": [PICTURE]})
    two = VideoParams.model_validate({"model": "cogvideox-3", "image_url": [PICTURE, PICTURE]})

    assert one.request()["image_url"] == PICTURE
    assert two.request()["image_url"] == [PICTURE, PICTURE]


def test_every_example_runs_as_it_is() -> None:
    for kind in create({}).info.types:
        for example in kind.examples:
            kind.model.model_validate(dict(example.params))


async def test_the_submit_carries_our_key_and_no_nulls(house: GenerationHouse) -> None:
    task = await house.new_task(params={"prompt": "一只小狗", "quality": "speed", "with_audio": True})

    await house.run(task)

    assert house.server.bodies == [
        {
            "model": "cogvideox-flash",
            "prompt": "一只小狗",
            "with_audio": True,
            "request_id": f"{task.task_id}-submit-1",
        }
    ]


# -- settings ----------------------------------------------------------------------


def test_without_a_key_it_is_unavailable_and_says_which_variable() -> None:
    found = create({"COGVIDEOX_API_KEY": "  "}).availability()

    assert (found.available, found.reason) == (False, "NO_KEY")
    assert found.advice is not None
    assert "COGVIDEOX_API_KEY" in found.advice.zh


def test_with_a_key_it_is_available() -> None:
    assert create({"COGVIDEOX_API_KEY": API_KEY}).availability().available


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COGVIDEOX_API_KEY", "two words"),
        ("COGVIDEOX_BASE_URL", "open.bigmodel.cn"),
        ("COGVIDEOX_BASE_URL", "https://user@example.org/v4"),
        ("COGVIDEOX_POLL_INTERVAL_S", "0"),
        ("COGVIDEOX_POLL_INTERVAL_S", "often"),
        ("COGVIDEOX_MAX_RUNNING", "0"),
    ],
)
def test_a_bad_setting_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        create({name: value})

    assert name in str(caught.value)
    assert value not in str(caught.value).replace(name, "") or value == "0"


def test_the_cap_of_the_account_holds_over_all_servers() -> None:
    info = create({"COGVIDEOX_MAX_RUNNING": "5"}).info

    assert (info.max_running, info.is_cap_per_server) == (5, False)
    assert create({}).info.max_running is None


def test_the_origin_in_the_settings_is_the_one_to_trust() -> None:
    info = create({"COGVIDEOX_BASE_URL": "http://127.0.0.1:9/api/paas/v4/"}).info

    assert info.trusted_origins == ("http://127.0.0.1:9/api/paas/v4",)
    assert create({}).info.trusted_origins == ("https://open.bigmodel.cn/api/paas/v4",)


# -- the key ----------------------------------------------------------------------


async def test_the_key_is_in_no_log_no_record_and_no_error(house: GenerationHouse) -> None:
    secret_half = API_KEY.partition(".")[2]
    house.server.plan("submit", "refuse", status=401, code="1002", message=f"bad key {API_KEY} / {secret_half}")

    with captured_log() as lines:
        ended = await house.run(await house.new_task())

    told = "\n".join([*lines, repr(ended), *await house.lines(ended)])
    assert ended.status is TaskStatus.FAILED
    assert secret_half not in told
    assert "bad key ***" in told


def test_the_account_does_not_show_its_key() -> None:
    assert API_KEY not in repr(ZhipuAccount("https://example.org", API_KEY))


# -- the stand-in as a program ----------------------------------------------------------------------


def test_the_stand_in_runs_as_a_program_and_is_steered_over_http() -> None:
    command = [sys.executable, "-m", "tests.fixtures.cogvideox_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        origin = base_url.removesuffix("/api/paas/v4")
        try:
            with httpx.Client(trust_env=False) as client:
                client.post(f"{origin}/_control", json={"faults": {"submit": [{"do": "refuse", "status": 429}]}})
                refused = client.post(f"{base_url}/videos/generations", json={"request_id": "k", "prompt": "a"})
                counts = client.get(f"{origin}/_counts").json()
                client.post(f"{origin}/_mark")
                marked = client.get(f"{origin}/_counts").json()
        finally:
            process.terminate()

    assert refused.status_code == 429
    assert (counts["submits_sent"], counts["submits_accepted"]) == ({"k": 1}, {})
    assert (len(counts["since_mark"]), marked["since_mark"]) == (1, [])
    assert process.returncode == 0
