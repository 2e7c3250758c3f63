"""Both troubleshooting guides, followed to the letter: every command block, in order, on one real server.

A block of the language `text` is what the block before it prints: each of its lines, in this order. PowerShell and the
browser's console are not run here.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.fixtures.guide_blocks import Block, blocks_of
from tests.fixtures.server import wait_until
from tests.fixtures.small_site import small_site

ROOT = Path(__file__).resolve().parents[2]
CHINESE, ENGLISH = ROOT / "docs" / "troubleshooting.zh-CN.md", ROOT / "docs" / "troubleshooting.md"
_RUN, _NOT_RUN = {"bash"}, {"powershell", "js"}
_FORBIDDEN = ("event loop is closed", "loop is closed", "no running loop", "traceback")


def test_both_guides_have_the_same_blocks() -> None:
    chinese, english = (
        [(block.language, block.more, block.text) for block in blocks_of(guide)] for guide in (CHINESE, ENGLISH)
    )

    assert chinese == english


def test_every_block_is_run_or_known_not_to_be() -> None:
    languages = {block.language for block in blocks_of(CHINESE)}

    assert languages == _RUN | _NOT_RUN | {"text"}


def test_both_guides_have_the_same_sections() -> None:
    counted = [guide.read_text(encoding="utf-8").count("\n## ") for guide in (CHINESE, ENGLISH)]

    assert counted[0] == counted[1] > 5


@dataclass
class Reader:
    """Somebody with two terminals who follows the guide; what they set in one block holds in the next."""

    folder: Path
    port: int
    site: str
    printed: str = ""
    terminals: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        """Do what the block says. Raises AssertionError when it fails or prints something else."""
        if block.language == "text":
            self._compare(block)
        elif block.language == "bash" and block.more == "terminal-a":
            self._in_terminal_a(block)
        elif block.language == "bash":
            self._in_terminal_b(block)

    def press_ctrl_c(self) -> list[int]:
        """Press it where a server still runs; return how each terminal's command ended."""
        for terminal in self.terminals:
            if terminal.poll() is None:
                os.killpg(terminal.pid, signal.SIGINT)
        return [terminal.wait(60) for terminal in self.terminals]

    def _in_terminal_b(self, block: Block) -> None:
        state, output = self.folder / "shell", self.folder / "printed"
        before = f". {state}; " if state.exists() else ""
        may_fail = block.more == "exit-0-or-1"
        rules = "set -a -o pipefail" if may_fail else "set -a -e -o pipefail"
        script = f"{rules}; {before}\n{self._own(block.text)}\ncode=$?; export -p > {state}; exit $code"
        # Into a file: what a command leaves running in the background would hold a pipe open.
        with output.open("wb") as file:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=ROOT,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=180,
                check=False,
            )
        self.printed = output.read_text(encoding="utf-8", errors="replace")
        expected = {0, 1} if may_fail else {0}
        assert done.returncode in expected, f"line {block.line}: code {done.returncode}\n{block.text}\n{self.printed}"

    def _in_terminal_a(self, block: Block) -> None:
        output = self.folder / f"terminal-a-{len(self.terminals)}"
        with output.open("wb") as file:
            self.terminals.append(
                subprocess.Popen(
                    ["bash", "-c", self._own(f"exec env {block.text}")],
                    cwd=ROOT,
                    env=self._environ(),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        wait_until(
            lambda: "监听端口" in output.read_text("utf-8", "replace") or self.terminals[-1].poll(), within_s=180
        )
        self.printed = output.read_text(encoding="utf-8", errors="replace")

    def _compare(self, block: Block) -> None:
        rest = self.printed
        for line in self._own(block.text).splitlines():
            _, found, rest = rest.partition(line.strip())
            assert found, f"line {block.line}: {line!r} is not in\n{self.printed}"

    def _own(self, text: str) -> str:
        """Put this run's own places where the guide has the usual ones."""
        mine = {"8888": str(self.port), "https://example.com/": self.site, ".venv/": f"{sys.prefix}/"}
        mine |= {"data/doctor.zip": str(self.folder / "doctor.zip"), "data/logs/": f"{self.folder / 'data' / 'logs'}/"}
        for usual, own in mine.items():
            text = text.replace(usual, own)
        return text

    def _environ(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PORT": str(self.port), "DATA_DIR": str(self.folder / "data"), "BROWSER_MODE": "off", "NO_BROWSER": "1"}
        own |= {"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8", "BASE": f"http://localhost:{self.port}", "NO_PROXY": "*"}
        return {**os.environ, **own, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Someone with a free port, an empty data folder, and a site to crawl; nothing of theirs is left behind."""
    # Short: the path of a unix socket may not pass 107 bytes.
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder, small_site() as site:
        made = Reader(Path(folder), _free_port(), f"{site.url}/pages/0")
        yield made
        for process in _working_on(made.folder):
            process.kill()
        psutil.wait_procs(_working_on(made.folder), timeout=10)


def _working_on(folder: Path) -> list[psutil.Process]:
    """Return every process that was started in there: servers, also those that a command left running, and stores."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("DATA_DIR", "").startswith(str(folder)) or str(folder) in str(process.cmdline()):
                found.append(process)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_guide_can_be_followed_to_the_letter(reader: Reader) -> None:
    for block in blocks_of(CHINESE):
        reader.follow(block)

    assert reader.press_ctrl_c() == [0] * len(reader.terminals)
    assert _working_on(reader.folder) == []
    said = (reader.folder / "data" / "logs" / "server.log").read_text(encoding="utf-8").lower()
    assert "mediacrawer pro 正在关闭" in said
    assert [word for word in _FORBIDDEN if word in said] == []
