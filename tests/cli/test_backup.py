"""What `backup` and `restore` say when they cannot begin."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.core.embedded import DataDirInUseError, EmbeddedStores


def test_backup_of_data_that_another_process_has_leaves_with_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(stores: EmbeddedStores) -> None:
        raise DataDirInUseError(str(tmp_path), 4242)

    monkeypatch.setattr(EmbeddedStores, "start", start)

    result = CliRunner().invoke(app, ["backup", str(tmp_path / "b.tar")], env={"DATA_DIR": str(tmp_path), "STORES": ""})

    assert (result.exit_code, "4242" in result.stderr) == (2, True)
