from pathlib import Path

from backend.core.embedded.address import choose_address


def test_socket_is_taken_where_it_can_be(data_dir: Path) -> None:
    assert choose_address(data_dir / "x.sock").socket_path == data_dir / "x.sock"


def test_socket_of_a_dead_store_is_no_hindrance(data_dir: Path) -> None:
    (data_dir / "x.sock").write_text("", encoding="utf-8")

    address = choose_address(data_dir / "x.sock")

    assert address.socket_path is not None
    assert not address.socket_path.exists()


def test_path_too_long_for_a_socket_means_a_port(data_dir: Path) -> None:
    folder = data_dir / ("x" * 120)
    folder.mkdir()

    address = choose_address(folder / "x.sock")

    assert address.socket_path is None
    assert address.port > 0


def test_comma_in_the_path_means_a_port(data_dir: Path) -> None:
    folder = data_dir / "a,b"
    folder.mkdir()

    assert choose_address(folder / "x.sock").socket_path is None
