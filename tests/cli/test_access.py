"""Which token a command sends where."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from backend.cli.access import target_for, token_here
from backend.cli.running_server import find_server, token_to
from backend.client import Target
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
        target_for(HERE, settings_of(tmp_path, **environ)).token
        for environ in (both, {"AUTH_TOKEN": "token-of-all"}, {"MEDIACRAWER_TOKEN": " "}, {})
    ]

    assert chosen == ["mcp_person", "token-of-all", secret, secret]


def test_persons_token_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MEDIACRAWER_TOKEN=mcp_in_file\n")

    settings = load_settings({"DATA_DIR": str(tmp_path)}, tmp_path / ".env")

    assert target_for("https://media.example.com", settings).token == "mcp_in_file"


@pytest.mark.parametrize("url", [HERE, f"{HERE}/", "http://localhost:8901"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_secret_goes_to_the_server_of_the_file(tmp_path: Path, url: str, host: str) -> None:
    secret = known(tmp_path, host=host)

    assert target_for(url, settings_of(tmp_path)) == Target(HERE, secret)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8902", "http://media.example.com:8901", "https://127.0.0.1:8901", "http://127.0.0.1"),
        *("http://127.0.0.1:8901/sub", "http://127.0.0.1.evil.test:8901", "http://[::1]:8901", "no url", "http://[:1"),
    ],
)
def test_secret_goes_to_no_other_server(tmp_path: Path, url: str) -> None:
    known(tmp_path)

    assert target_for(url, settings_of(tmp_path)) == Target(url)


@pytest.mark.parametrize("changes", [{"pid": 2**31 - 1}, {"host": "192.168.1.5"}, {"secret": None}])
def test_no_secret_is_sent_where_it_would_open_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    known(tmp_path, **changes)

    settings = settings_of(tmp_path, PORT="0")

    assert target_for(HERE, settings).token is None
    assert target_for("http://192.168.1.5:8901", settings).token is None
    found = find_server(settings)
    assert found is None or token_to(found, settings) is None


def test_server_here_is_asked_with_its_own_secret_whatever_token_is_named(tmp_path: Path) -> None:
    secret = known(tmp_path)
    settings = settings_of(tmp_path, MEDIACRAWER_TOKEN="mcp_elsewhere", AUTH_TOKEN="token-of-all")
    found = find_server(settings)

    assert found is not None
    assert token_to(found, settings) == secret


def test_persons_token_for_a_server_elsewhere_is_not_sent_to_whoever_has_our_port(tmp_path: Path) -> None:
    elsewhere = {"MEDIACRAWER_URL": "https://media.example.com", "MEDIACRAWER_TOKEN": "mcp_elsewhere"}

    assert token_here(settings_of(tmp_path, **elsewhere)) is None
    assert token_here(settings_of(tmp_path, **elsewhere, AUTH_TOKEN="token-of-all")) == "token-of-all"
    assert token_here(settings_of(tmp_path, MEDIACRAWER_TOKEN="mcp_here")) == "mcp_here"


def test_token_that_no_header_can_hold_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        target_for(HERE, settings_of(tmp_path, MEDIACRAWER_TOKEN="令牌"))

    assert "MEDIACRAWER_TOKEN" in capsys.readouterr().err
