import pytest

from backend.cli.speech import BOOKS, STAGE, STATUS, accept_language, terminal_speech
from backend.domain.task import Stage, TaskStatus


@pytest.mark.parametrize(
    ("environ", "envelope", "header"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh", "zh-CN"),
        ({"LANG": "en_US.UTF-8"}, "en", "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh", "zh-CN"),
        ({"LANG": "C.UTF-8"}, "both", None),
        ({}, "both", None),
    ],
)
def test_language_is_that_of_the_terminal(environ: dict[str, str], envelope: str, header: str | None) -> None:
    speech = terminal_speech("both", environ)

    assert (speech.envelope, accept_language(speech)) == (envelope, header)


def test_setting_goes_before_the_terminal() -> None:
    assert terminal_speech("en", {"LANG": "zh_CN.UTF-8"}).envelope == "en"


def test_every_state_and_stage_has_a_word() -> None:
    assert set(STATUS) == {one.value for one in TaskStatus}
    assert set(STAGE) == {one.value for one in Stage}


def test_books_leave_nothing_out_that_became_of_a_request() -> None:
    assert {"ok", "empty", "blocked", "failed", "skipped", "aborted"} <= set(BOOKS)
