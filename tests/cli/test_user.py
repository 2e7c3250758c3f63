"""`mediacrawer user` and `token` against a real embedded store, while the server runs and while it does not."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.command import call
from tests.fixtures.live_app import live_app

_WITHIN_S = 60.0


@pytest.mark.slow
def test_users_are_changed_whether_the_server_runs_or_not(tmp_path: Path) -> None:
    data = {"DATA_DIR": str(tmp_path / "data")}
    added = call("user", "add", "安娜", "--generate", **data)
    password = added.stdout.splitlines()[1].split()[-1]
    with live_app(tmp_path, "cli-user") as app:
        shut = httpx.get(f"{app.url}/api/v1/me", timeout=_WITHIN_S).status_code
        body = {"name": "安娜", "password": password}
        signed_in = httpx.post(f"{app.url}/api/v1/login", json=body, timeout=_WITHIN_S).status_code
        token = call("token", "create", "安娜", **data).stdout.splitlines()[1]
        made = call("user", "add", "bo", "--generate", **data)
        listed = call("user", "list", **data).stdout
        me = _me_when(app.url, token, 200)
        last = call("user", "disable", "安娜", **data)
        _me_when(app.url, token, 200)
        token_id = next(word for word in call("token", "list", "安娜", **data).stdout.split() if word.startswith("k_"))
        removed = call("token", "remove", token_id, **data)
        gone = _me_when(app.url, token, 401)

    assert added.stdout.startswith("✅ 已添加 / added: 安娜 (admin)\n")
    assert "所有人都要先登录" in added.stdout
    assert "所有人都要先登录" not in made.stdout
    assert (added.stderr, made.stderr) == ("", "")
    assert signed_in == 200
    assert shut == 401
    assert "bo (member)" in made.stdout
    assert ("安娜" in listed, "bo" in listed, password in listed) == (True, True, False)
    assert me["data"]["name"] == "安娜"
    assert (last.returncode, "至少要留一位" in last.stderr) == (1, True)
    assert removed.returncode == 0
    assert gone["code"] == 40101


def _me_when(url: str, token: str, status: int) -> dict[str, Any]:
    """Return what is said of the caller once it is said with this status: a change is seen within a second."""
    until = time.monotonic() + _WITHIN_S
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_WITHIN_S) as client:
        answer = client.get("/api/v1/me")
        while answer.status_code != status and time.monotonic() < until:
            answer = client.get("/api/v1/me")
    found: dict[str, Any] = answer.json()
    assert answer.status_code == status
    return found
