"""The server in the foreground, and the page opened once it answers."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scripts.devtools import frontend
from scripts.devtools.console import say
from scripts.devtools.install import ROOT, VENV, python_of

_BACKEND = ROOT / "backend"
_DEV_SCRIPT = ROOT / "scripts" / "dev.py"
_ANSWER_WITHIN_S = 60
_PROBE_EVERY_S = 0.3


def port(environment: Mapping[str, str], dotenv: Path) -> int:
    """Return the port the server will listen on: PORT from the environment, then .env, then 8888.

    A value that is no port gives 8888: the server itself names the bad setting.
    """
    value = environment.get("PORT", "")
    if not value and dotenv.is_file():
        for line in dotenv.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, rest = line.partition("=")
            if name.strip() == "PORT":
                value = rest
    value = value.strip().strip("'\"")
    return int(value) if value.isascii() and value.isdigit() else 8888


def may_open_browser(environment: Mapping[str, str], platform: str) -> bool:
    """Tell whether a page may be opened: not with NO_BROWSER, not in CI, not where there is no desktop."""
    if environment.get("NO_BROWSER") or environment.get("CI"):
        return False
    if platform == "linux":
        # Without a desktop Python's webbrowser would start a text browser over the server's log.
        return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    return True


def run() -> NoReturn:
    """Start the server in place of this process, so that Ctrl+C and signals reach it alone.

    Windows cannot replace a process: there this one waits, and leaves with the server's exit code.
    """
    number = port(os.environ, ROOT / ".env")
    address = f"http://localhost:{number}"
    say(f"正在启动服务, 地址 {address} (Ctrl+C 停止)", f"starting the server at {address} (Ctrl+C stops it)")
    command = [str(python_of(VENV)), str(_BACKEND / "main.py")]
    if number and may_open_browser(os.environ, sys.platform):
        _open_later(address)
    os.chdir(_BACKEND)
    if sys.platform == "win32":
        sys.exit(_wait(subprocess.Popen(command)))
    os.execv(command[0], command)


def stop() -> int:
    """Stop the server, as `mediacrawer stop` does, and return its exit code: 0 when the port is free."""
    python = python_of(VENV)
    if not python.exists():
        say("还没有安装过, 没有服务器在运行", "nothing was ever installed here, so no server runs")
        return 0
    return subprocess.run([python, "-m", "backend.cli", "stop"], check=False, cwd=ROOT).returncode


def develop() -> int:
    """Run the server and Vite's dev server side by side until one ends (its exit code) or Ctrl+C (0)."""
    signal.signal(signal.SIGTERM, _interrupt)
    children = [subprocess.Popen([python_of(VENV), _BACKEND / "main.py"], cwd=_BACKEND)]
    try:
        if frontend.is_present():
            npm = frontend.find_npm()
            frontend.install_packages(npm)
            say("前端: http://localhost:5173", "frontend: http://localhost:5173")
            vite = [*npm.command, "run", "dev", "--silent"]
            children.append(subprocess.Popen(vite, cwd=frontend.FRONTEND, env=dict(npm.environment)))
        while all(child.poll() is None for child in children):
            time.sleep(_PROBE_EVERY_S)
        return next(code for child in children if (code := child.poll()) is not None)
    except KeyboardInterrupt:
        say("正在停止", "stopping")
        return 0
    finally:
        for child in children:
            _end(child)


def open_page(url: str, pid: int) -> None:
    """Open `url` once its /health answers; give up when process `pid` is gone or after a minute.

    On POSIX it goes on as a process of its own, which the server does not have for a child.
    """
    if sys.platform != "win32":
        if os.fork():
            os._exit(0)
        os.setsid()
    give_up_at = time.monotonic() + _ANSWER_WITHIN_S
    while time.monotonic() < give_up_at and _is_alive(pid):
        if answers(f"{url}/health"):
            webbrowser.open(url)
            return
        time.sleep(_PROBE_EVERY_S)


def answers(url: str) -> bool:
    """Tell whether `url` gives any HTTP answer within two seconds, asked without a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
    return True


def _open_later(address: str) -> None:
    if sys.platform == "win32":
        threading.Thread(target=open_page, args=(address, os.getpid()), daemon=True).start()
        return
    nowhere = subprocess.DEVNULL
    command = [sys.executable, str(_DEV_SCRIPT), "open-page", address, str(os.getpid())]
    subprocess.run(command, check=False, stdin=nowhere, stdout=nowhere, stderr=nowhere)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # the waiting thread ends with its own process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """Return the exit code of `child`, which gets the terminal's Ctrl+C by itself."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask `child` to stop unless it has, and wait for it."""
    if child.poll() is None:
        child.terminate()
    _wait(child)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
