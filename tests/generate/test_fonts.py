from pathlib import Path

import pytest

from backend.generate import fonts
from backend.generate.fonts import FontFile, find_cjk_font


def test_best_font_of_the_system_is_taken(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("wqy-zenhei.ttc", "deep/NotoSansCJK-Regular.ttc", "Arial.ttf"):
        (tmp_path / name).touch()

    assert find_cjk_font([tmp_path]) == FontFile(tmp_path / "deep" / "NotoSansCJK-Regular.ttc", 2)


def test_packaged_font_serves_where_the_system_has_none(tmp_path: Path) -> None:
    found = find_cjk_font([tmp_path])

    assert found is not None
    assert found.path.name == "NotoSansSC-Regular.otf"
    assert found.path.is_file()


def test_there_may_be_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "find_spec", lambda _: None)

    assert find_cjk_font([]) is None
