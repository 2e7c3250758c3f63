import shutil
from pathlib import Path

from backend.core.disk import disk_of


def test_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    disk = disk_of(tmp_path / "data" / "artifacts")

    assert disk.total_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < disk.free_bytes <= disk.total_bytes
