from pathlib import Path

import pytest

from backend.core.busy_files import FileBusyError, replace_file

MADE, TARGET = Path("made.part"), Path("target.mp4")


class Refusing:
    """A rename that is refused so many times, as Windows does while a scanner has the file open."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.paused_s = 0.0
        self.renamed: list[tuple[Path, Path]] = []

    def rename(self, made: Path, target: Path) -> None:
        if self.left:
            self.left -= 1
            raise PermissionError(13, "in use")
        self.renamed.append((made, target))

    def pause(self, seconds: float) -> None:
        self.paused_s += seconds


def test_file_that_is_busy_for_a_moment_is_replaced_after_it() -> None:
    system = Refusing(3)

    replace_file(MADE, TARGET, rename=system.rename, pause=system.pause, platform="win32")

    assert system.renamed == [(MADE, TARGET)]


def test_file_that_stays_busy_is_named_after_a_second() -> None:
    system = Refusing(1_000)

    with pytest.raises(FileBusyError, match=r"target\.mp4"):
        replace_file(MADE, TARGET, rename=system.rename, pause=system.pause, platform="win32")

    assert 0.9 <= system.paused_s <= 1


def test_refusal_elsewhere_is_not_tried_again() -> None:
    system = Refusing(1)

    with pytest.raises(PermissionError):
        replace_file(MADE, TARGET, rename=system.rename, pause=system.pause, platform="linux")

    assert (system.renamed, system.paused_s) == ([], 0)


def test_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new", encoding="utf-8")
    (tmp_path / "target").write_text("old", encoding="utf-8")

    replace_file(tmp_path / "made", tmp_path / "target")

    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["new"]
