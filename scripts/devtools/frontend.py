"""The frontend: Node found or fetched, packages and build renewed only when their sources changed."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.devtools.console import say
from scripts.devtools.install import ROOT, digest, install_node, is_stamped

FRONTEND = ROOT / "frontend"
_NOT_SOURCES = frozenset({"node_modules", "dist", "coverage", ".vite", "test-results"})


@dataclass(frozen=True, slots=True)
class Npm:
    """An npm to call, and the environment in which its scripts find the same Node."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, *arguments: str, check: bool = True) -> int:
        """Run npm in frontend/ and return its exit code; raises CalledProcessError with `check`."""
        return subprocess.run(
            [*self.command, *arguments],
            check=check,
            cwd=FRONTEND,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
        ).returncode


def is_present() -> bool:
    """Tell whether there is a frontend to build."""
    return (FRONTEND / "package.json").is_file()


def is_new_enough(version: str) -> bool:
    """Tell whether Node's `--version` is one that Vite 8 takes: 20.19 and later 20s, 22.12 and later."""
    match = re.match(r"v(\d+)\.(\d+)", version)
    if match is None:
        return False
    major_minor = (int(match[1]), int(match[2]))
    return major_minor >= (22, 12) or (20, 19) <= major_minor < (21, 0)


def find_npm() -> Npm:
    """Return the machine's npm, or one from the Node wheel when Node is absent or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_new_enough(_version_of(node)):
        return Npm((npm,), os.environ)
    node_path = install_node()
    # The wheel's own bin/npm is a symlink that packing turned into a file: it no longer finds its library.
    package = node_path.parent if sys.platform == "win32" else node_path.parent.parent / "lib"
    cli = package / "node_modules" / "npm" / "bin" / "npm-cli.js"
    search = f"{node_path.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return Npm((str(node_path), str(cli)), {**os.environ, "PATH": search})


def sources(frontend: Path) -> Iterator[Path]:
    """Yield every file the build depends on: all of `frontend` but packages and outputs."""
    for folder, folders, files in os.walk(frontend):
        folders[:] = sorted(set(folders) - _NOT_SOURCES)
        yield from (Path(folder) / name for name in files)


def install_packages(npm: Npm) -> None:
    """Run `npm ci` when node_modules was not made from this package-lock.json."""
    stamp = FRONTEND / "node_modules" / ".installed-from"
    wanted = digest([FRONTEND / "package-lock.json", FRONTEND / "package.json"], base=FRONTEND)
    if is_stamped(stamp, wanted):
        return
    say("正在安装前端依赖", "installing the frontend's packages")
    npm.run("ci", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted, encoding="ascii")


def is_built() -> bool:
    """Tell whether frontend/dist was built from the sources as they are now."""
    return is_stamped(FRONTEND / "dist" / ".built-from", digest(sources(FRONTEND), base=FRONTEND))


def mark_built() -> None:
    """Record which sources frontend/dist was built from."""
    stamp = FRONTEND / "dist" / ".built-from"
    stamp.write_text(digest(sources(FRONTEND), base=FRONTEND), encoding="ascii")


def build() -> None:
    """Build frontend/dist unless it is up to date; says so when there is no frontend."""
    if not is_present():
        say("没有前端可构建, 跳过", "no frontend to build, skipped", mark="–")
        return
    if is_built():
        return
    npm = find_npm()
    install_packages(npm)
    say("正在构建前端", "building the frontend")
    started = time.monotonic()
    npm.run("run", "build", "--silent", "--", "--logLevel", "warn")
    mark_built()
    seconds = time.monotonic() - started
    say(f"前端已构建, 用时 {seconds:.0f} 秒", f"frontend built in {seconds:.0f} s", mark="✓")


def _version_of(node: str) -> str:
    answer = subprocess.run([node, "--version"], check=False, capture_output=True, encoding="utf-8")
    return answer.stdout.strip()
