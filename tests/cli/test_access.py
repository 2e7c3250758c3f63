"""Which token a command sends where."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.cli.access import token_for
from backend.core.processes import this_process
from backend.core.server_file import ServerFile, ServerRecord, new_secret
from backend.core.settings import Settings, load_settings

HERE = "http://127.0.0.1:8901"


def settings_of(folder: Path, **environ: str) -> Settings:
    return load_settings({"DATA_DIR": str(folder), **environ}, folder / "no.env")


def known(folder: Path, **changes: Any) -> str:
    """Write the server.json of a server that runs; return its secret."""
    us, secret = this_process(), new_secret()
    values: dict[str, Any] = {"pid": us.pid, "process_started_at": us.started_at, "host": "127.0.0.1", "port": 8901}
    values |= {"url": f"{HERE}/", "revision": "abc", "started_at": datetime.now(UTC), "secret": secret}
    ServerFile(folder).write(ServerRecord(**{**values, **changes}))
    return secret


def test_persons_token_goes_before_auth_token_and_both_before_the_secret(tmp_path: Path) -> None:
    secret = known(tmp_path)
    both = {"MEDIACRAWER_TOKEN": "mcp_person", "AUTH_TOKEN": "token-of-all"}

    chosen = [
        token_for(HERE, settings_of(tmp_path, **environ))
        for environ in (both, {"AUTH_TOKEN": "token-of-all"}, {"MEDIACRAWER_TOKEN": " "}, {})
    ]

    assert chosen == ["mcp_person", "token-of-all", secret, secret]


def test_persons_token_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEDIACRAWER_TOKEN=mcp_in_file\n")

    settings = load_settings({"DATA_DIR": str(tmp_path)}, tmp_path / ".env")

    assert token_for("https://media.example.com", settings) == "mcp_in_file"


@pytest.mark.parametrize("url", [HERE, f"{HERE}/", "http://localhost:8901"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_secret_goes_to_the_server_of_the_file(tmp_path: Path, url: str, host: str) -> None:
    secret = known(tmp_path, host=host)

    assert token_for(url, settings_of(tmp_path)) == secret


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8902", "http://media.example.com:8901", "https://127.0.0.1:8901", "http://127.0.0.1"),
        *("http://127.0.0.1:8901/sub", "http://127.0.0.1.evil.test:8901", "http://[::1]:8901", "no url", "http://[:1"),
    ],
)
def test_secret_goes_to_no_other_server(tmp_path: Path, url: str) -> None:
    known(tmp_path)

    assert token_for(url, settings_of(tmp_path)) is None


@pytest.mark.parametrize("changes", [{"pid": 2**31 - 1}, {"host": "192.168.1.5"}, {"secret": None}])
def test_no_secret_is_sent_where_it_would_open_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    known(tmp_path, **changes)

    assert token_for(HERE, settings_of(tmp_path)) is None
    assert token_for("http://192.168.1.5:8901", settings_of(tmp_path)) is None
