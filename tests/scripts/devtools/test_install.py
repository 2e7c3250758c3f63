import subprocess
import sys
from pathlib import Path

import pytest

from scripts.devtools import install

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in interpreter is a shell script")


def test_digest_changes_when_a_file_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")

    assert install.digest([tmp_path / "a"], base=tmp_path) != install.digest([tmp_path / "b"], base=tmp_path)


def test_digest_keeps_the_boundary_between_two_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("12")
    second.write_text("3")
    before = install.digest([first, second], base=tmp_path)

    first.write_text("1")
    second.write_text("23")

    assert install.digest([first, second], base=tmp_path) != before


def test_digest_does_not_depend_on_the_order_of_its_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_text(path.name)

    assert install.digest(files, base=tmp_path) == install.digest(reversed(files), base=tmp_path)


def test_stamp_of_another_value_does_not_count(tmp_path: Path) -> None:
    stamp = tmp_path / ".installed-dev"
    stamp.write_text("old")

    assert not install.is_stamped(stamp, "new")
    assert install.is_stamped(stamp, "old")


def test_missing_stamp_does_not_count(tmp_path: Path) -> None:
    assert not install.is_stamped(tmp_path / "none", "")


@pytest.fixture
def stamped_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose .venv has a working interpreter and says that the development tools are installed."""
    venv = tmp_path / ".venv"
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    (requirements / "dev.lock").write_text("pinned")
    (requirements / "runtime.lock").write_text("pinned")
    (tmp_path / "pyproject.toml").write_text("[project]")
    python = install.python_of(venv)
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "VENV", venv)
    monkeypatch.setattr(install, "REQUIREMENTS", requirements)
    (venv / ".installed-dev").write_text(install.lock_digest("dev"))
    return tmp_path


@needs_posix
def test_second_install_runs_no_pip(stamped_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    python = install.install("dev")

    assert python == install.python_of(stamped_project / ".venv")
    assert capfd.readouterr().out == ""


@needs_posix
def test_development_tools_are_enough_to_run(stamped_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install.install("runtime")

    assert capfd.readouterr().out == ""
    assert not (stamped_project / ".venv" / ".installed-runtime").exists()


@needs_posix
def test_changed_lock_is_installed_again(stamped_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (stamped_project / "requirements" / "dev.lock").write_text("no-such-package==0 --hash=sha256:0")

    with pytest.raises(subprocess.CalledProcessError):
        install.install("dev")

    assert "installing dependencies" in capfd.readouterr().out


def test_every_lock_is_there() -> None:
    locks = {path.stem for path in (install.ROOT / "requirements").glob("*.lock")}

    assert locks == {"runtime", "dev", "node"}
