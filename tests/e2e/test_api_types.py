"""The page's client speaks the API that the server serves."""

import shutil
import subprocess

import pytest

from tests.fixtures.live_app import ROOT, LiveApp


def test_generated_client_is_the_servers_own_document(app: LiveApp) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on PATH")

    check = subprocess.run(
        [npm, "run", "-s", "api", "--", "--check", f"{app.url}/openapi.json"],
        cwd=ROOT / "frontend",
        capture_output=True,
        text=True,
        check=False,
    )

    assert check.returncode == 0, check.stderr
