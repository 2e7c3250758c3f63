import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.file_name import MAX_NAME_BYTES, portable_name


@pytest.mark.parametrize(
    "name", ["露营_小红书_20261121_200条.xlsx", "clip.mp4", "console.log", "a b.csv", ".hidden", "COM10.txt"]
)
def test_name_that_fits_everywhere_stays(name: str) -> None:
    assert portable_name(name) == name


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("CON", "_CON"),
        ("con.mp4", "_con.mp4"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("LPT1 .txt", "_LPT1 .txt"),
        ("COM¹.txt", "_COM¹.txt"),
        ("what?.mp4", "what_.mp4"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a\nb.csv", "a_b.csv"),
        ("notes.", "notes_"),
        ("notes. .", "notes___"),
        ("...", "___"),
        ("", "_"),
    ],
)
def test_name_that_windows_refuses_or_changes_is_mended(name: str, portable: str) -> None:
    assert portable_name(name) == portable


def test_long_name_keeps_its_ending_and_whole_characters() -> None:
    made = portable_name("露" * 300 + ".xlsx")

    assert made.startswith("露")
    assert made.endswith("露.xlsx")
    assert MAX_NAME_BYTES - 3 <= len(made.encode()) <= MAX_NAME_BYTES


@given(st.text(max_size=400))
def test_any_name_is_one_that_windows_keeps_as_it_is(name: str) -> None:
    made = portable_name(name)

    assert made
    assert not set(made) & set('\\/:*?"<>|\x00\n')
    assert made[-1] not in ". "
    assert len(made.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    assert portable_name(made) == made
