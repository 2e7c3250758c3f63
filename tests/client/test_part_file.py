from pathlib import Path

import pytest

from backend.client.part_file import PartFile, name_in


def test_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.csv", overwrite=False) as file:
        file.write(b"one")
        before = [one.name for one in tmp_path.iterdir()]

    assert all(name.endswith(".part") for name in before)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.csv", b"one")]


def test_file_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with PartFile(tmp_path / "a.csv", overwrite=False) as file:
            file.write(b"one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()

    assert list(tmp_path.iterdir()) == []


def test_file_that_is_there_is_kept_unless_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"mine")

    with pytest.raises(FileExistsError), PartFile(tmp_path / "a.csv", overwrite=False):
        pass
    with PartFile(tmp_path / "a.csv", overwrite=True) as file:
        file.write(b"new")

    assert (tmp_path / "a.csv").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=\"a_.csv\"; filename*=UTF-8''%E9%9C%B2%E8%90%A5_20_.csv", "露营_20_.csv"),
        ('attachment; filename="plain.csv"', "plain.csv"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=UTF-8''..%5C..%5Cevil.csv", "evil.csv"),
        ("attachment", "other.csv"),
        ('attachment; filename=".."', "other.csv"),
    ],
)
def test_name_is_the_servers_without_any_folder(header: str, name: str) -> None:
    assert name_in(header, otherwise="other.csv") == name
