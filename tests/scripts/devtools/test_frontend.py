from pathlib import Path

import pytest

from scripts.devtools import frontend


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v24.19.0"])
def test_node_that_vite_takes_is_used(version: str) -> None:
    assert frontend.is_new_enough(version)


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.9", "v21.7.3", "v22.11.0", "", "not node"])
def test_node_that_vite_refuses_is_not_used(version: str) -> None:
    assert not frontend.is_new_enough(version)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small frontend whose dist was built from its sources."""
    for name in ("package.json", "src/main.ts", "node_modules/vue/index.js", "dist/index.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(frontend, "FRONTEND", tmp_path)
    frontend.mark_built()
    return tmp_path


def test_sources_leave_packages_and_outputs_out(project: Path) -> None:
    names = {path.relative_to(project).as_posix() for path in frontend.sources(project)}

    assert names == {"package.json", "src/main.ts"}


def test_build_of_unchanged_sources_is_up_to_date(project: Path) -> None:
    (project / "node_modules" / "vue" / "index.js").write_text("another version")

    assert frontend.is_built()


def test_edited_source_makes_the_build_stale(project: Path) -> None:
    (project / "src" / "main.ts").write_text("edited")

    assert not frontend.is_built()


def test_new_source_makes_the_build_stale(project: Path) -> None:
    (project / "src" / "new.ts").write_text("")

    assert not frontend.is_built()


def test_removed_output_is_not_built(project: Path) -> None:
    for path in (project / "dist").iterdir():
        path.unlink()

    assert not frontend.is_built()


def test_project_without_a_frontend_says_that_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frontend, "FRONTEND", tmp_path)

    frontend.build()

    assert "no frontend to build" in capsys.readouterr().out
