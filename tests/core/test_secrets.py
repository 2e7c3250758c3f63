"""The key file, and what it seals."""

import os
import stat
import sys
from pathlib import Path

import pytest

from backend.core.logs import captured_log
from backend.core.secrets import KEY_FILE, SecretBox, open_box
from backend.domain.errors import SecretsKeyError

PLACE = "accounts/acc_1"


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return open_box(tmp_path, has_sealed=False)


def test_what_is_sealed_opens_again(box: SecretBox) -> None:
    sealed = box.seal("会话".encode(), place=PLACE)

    assert box.open(sealed, place=PLACE).decode() == "会话"


def test_a_sealed_value_shows_nothing_and_is_another_each_time(box: SecretBox) -> None:
    first, second = (box.seal(b"web_session=0123456789", place=PLACE) for _ in range(2))

    assert b"web_session" not in first
    assert first != second


def test_a_value_opens_only_where_it_was_sealed_for(box: SecretBox) -> None:
    sealed = box.seal(b"x", place="accounts/acc_1")

    with pytest.raises(SecretsKeyError) as caught:
        box.open(sealed, place="accounts/acc_2")

    assert caught.value.reason == "SECRET_DAMAGED"


@pytest.mark.parametrize("at", [0, 3, 12, -1])
def test_a_changed_byte_is_noticed(box: SecretBox, at: int) -> None:
    sealed = bytearray(box.seal(b"x", place=PLACE))
    sealed[at] ^= 1

    with pytest.raises(SecretsKeyError):
        box.open(bytes(sealed), place=PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 21])
def test_what_was_never_sealed_is_refused(box: SecretBox, sealed: bytes) -> None:
    with pytest.raises(SecretsKeyError):
        box.open(sealed, place=PLACE)


def test_the_key_file_is_readable_by_its_owner_alone(box: SecretBox, tmp_path: Path) -> None:
    del box

    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_that_is_there_is_never_replaced(box: SecretBox, tmp_path: Path) -> None:
    before = (tmp_path / KEY_FILE).read_bytes()
    sealed = box.seal(b"x", place=PLACE)

    again = open_box(tmp_path, has_sealed=False)

    assert (tmp_path / KEY_FILE).read_bytes() == before
    assert again.open(sealed, place=PLACE) == b"x"


def test_two_that_start_at_once_have_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SecretBox] = []
    link = os.link

    def late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        made.append(open_box(tmp_path, has_sealed=False))
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    made.append(open_box(tmp_path, has_sealed=False))

    assert made[1].open(made[0].seal(b"x", place=PLACE), place=PLACE) == b"x"
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_a_file_system_without_links_has_a_key_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    sealed = open_box(tmp_path, has_sealed=False).seal(b"x", place=PLACE)

    assert open_box(tmp_path, has_sealed=True).open(sealed, place=PLACE) == b"x"


def test_a_missing_key_is_named_and_no_other_is_made_in_its_place(tmp_path: Path) -> None:
    with captured_log() as lines:
        box = open_box(tmp_path, has_sealed=True)

    with pytest.raises(SecretsKeyError) as caught:
        box.seal(b"x", place=PLACE)
    assert caught.value.reason == "SECRETS_KEY_MISSING"
    assert list(tmp_path.iterdir()) == []
    assert any("SECRETS_KEY_MISSING" in line and "ERROR" in line for line in lines)


def test_a_wrong_key_is_named_and_the_right_one_opens_it_yet(tmp_path: Path) -> None:
    right = open_box(tmp_path / "a", has_sealed=False)
    wrong = open_box(tmp_path / "b", has_sealed=False)
    sealed = right.seal(b"x", place=PLACE)

    with pytest.raises(SecretsKeyError) as caught:
        wrong.open(sealed, place=PLACE)

    assert caught.value.reason == "SECRETS_KEY_WRONG"
    assert right.open(sealed, place=PLACE) == b"x"


@pytest.mark.parametrize("content", [b"", b"short", b"%" * 44, b"A" * 40 + b"\n", b"A" * 5_000])
def test_a_broken_key_file_is_named_kept_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)

    with captured_log() as lines:
        box = open_box(tmp_path, has_sealed=False)

    with pytest.raises(SecretsKeyError) as caught:
        box.seal(b"x", place=PLACE)
    assert caught.value.reason == "SECRETS_KEY_UNREADABLE"
    assert (tmp_path / KEY_FILE).read_bytes() == content
    assert not content or all(content.decode().strip() not in line for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean nothing there")
def test_a_key_that_others_could_read_is_closed_to_them(box: SecretBox, tmp_path: Path) -> None:
    del box
    (tmp_path / KEY_FILE).chmod(0o644)

    open_box(tmp_path, has_sealed=True)

    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
