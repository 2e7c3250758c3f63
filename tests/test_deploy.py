"""The image, the compose file and the script that makes secrets, as far as they can be tried without an engine."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.settings import Settings, load_settings
from tests.fixtures.server import ROOT, NewServer

NOBODY = 65534
# Where the image listens, keeps its data and finds its browser; what makes sense outside only; what is for tests.
FIXED_IN_THE_IMAGE = {
    *("HOST", "PORT", "DATA_DIR", "BROWSER_PATH", "BROWSER_SANDBOX"),
    *("STORES", "EXECUTION_ENGINE", "LOG_FILE", "APP_ENV", "CRASH_POINT"),
}
COMPOSE = shutil.which("docker-compose")

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell scripts and users")


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile in order, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    lines = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, rest in lines]


def last_stage() -> list[tuple[str, str]]:
    """Return what is said of the image that is run."""
    instructions = dockerfile()
    start = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[start:]


def exec_form(name: str) -> list[str]:
    """Return the words of ENTRYPOINT, CMD, or the command of HEALTHCHECK."""
    value = dict(last_stage())[name]
    words: list[str] = json.loads(value[value.index("[") :])
    return words


# -- the Dockerfile --------------------------------------------------------------------------------------------------


def test_everything_that_is_copied_is_there_and_in_the_build_context() -> None:
    kept = [line[1:] for line in ignored_lines() if line.startswith("!")]
    sources = [
        word
        for name, rest in dockerfile()
        if name == "COPY" and "--from=" not in rest
        for word in shlex.split(rest)[:-1]
    ]

    assert sources
    assert [one for one in sources if not (ROOT / one).exists()] == []
    assert [one for one in sources if not any(one.rstrip("/").startswith(keep) for keep in kept)] == []


def test_stages_that_are_copied_from_exist() -> None:
    named = {rest.split()[-1] for name, rest in dockerfile() if name == "FROM" and " AS " in rest}
    asked = {match[1] for _, rest in dockerfile() if (match := re.match(r"--from=(\S+)", rest))}

    assert asked == named


def test_venv_is_made_by_the_python_that_runs_it() -> None:
    bases = [rest.split()[0] for name, rest in dockerfile() if name == "FROM" and rest.startswith("python:")]

    assert len(set(bases)) == 1
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in bases[0] or sys.version_info[:2] != (3, 11)


def test_image_runs_as_an_ordinary_user_below_an_init() -> None:
    stage = last_stage()
    installed = next(rest for name, rest in stage if name == "RUN" and "apt-get install" in rest)

    assert dict(stage)["USER"] not in {"", "root", "0"}
    assert exec_form("ENTRYPOINT") == ["tini", "--"]
    assert {"tini", "ffmpeg", "chromium", "fonts-noto-cjk", "libatomic1", "libcurl4"} <= set(installed.split())


def test_no_secret_and_no_data_can_enter_the_image() -> None:
    # The first line leaves everything out; only what is named comes back.
    lines = ignored_lines()

    assert lines[0] == "*"
    assert not any(fnmatch.fnmatch(name, line[1:]) for line in lines[1:] for name in (".env", "data", ".git"))


def ignored_lines() -> list[str]:
    """Return the rules of .dockerignore."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# -- the compose file ------------------------------------------------------------------------------------------------


def configured(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Return what docker-compose reads in its file with this environment, and with no .env."""
    assert COMPOSE is not None
    (folder / "empty").touch()
    return subprocess.run(
        [COMPOSE, "--env-file", str(folder / "empty"), "--file", "docker-compose.yml", "config"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], **environ},
    )


needs_compose = pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")


@needs_compose
@pytest.mark.parametrize(
    ("environ", "published"),
    [({}, "127.0.0.1:8888:8888/tcp"), ({"BIND": "10.0.0.5", "PORT": "9000"}, "10.0.0.5:9000:8888/tcp")],
)
def test_bind_is_the_address_that_is_published(tmp_path: Path, environ: dict[str, str], published: str) -> None:
    read = configured(tmp_path, AUTH_TOKEN="only-to-read-the-file", **environ)

    assert read.returncode == 0, read.stderr
    assert f"- {published}" in read.stdout


@needs_compose
def test_compose_file_without_a_token_says_what_to_run(tmp_path: Path) -> None:
    read = configured(tmp_path)

    assert read.returncode != 0
    assert "scripts/init_secrets.sh" in read.stderr


def test_every_service_keeps_a_bounded_log() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    services = text[text.index("\nservices:") : text.index("\nnetworks:")]

    assert services.count("logging: *logging") == len(re.findall(r"^  \w+:$", services, re.MULTILINE))
    assert re.search(r'max-size: "\d+m"\n\s+max-file: "\d+"', text)


def test_every_setting_can_be_set_for_the_container() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    app = text[text.index("\n  app:") : text.index("\n  mongo:")]
    handed_on = set(re.findall(r"^      ([A-Z0-9_]+):", app, re.MULTILINE))

    assert {name.upper() for name in Settings.model_fields} - handed_on == FIXED_IN_THE_IMAGE


# -- the script that makes secrets -----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with nothing but the script."""
    (tmp_path / "scripts").mkdir()
    shutil.copy2(ROOT / "scripts" / "init_secrets.sh", tmp_path / "scripts")
    return tmp_path


def make_secrets(project: Path) -> str:
    """Run the script from elsewhere and return what it said."""
    command = [str(project / "scripts" / "init_secrets.sh")]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", cwd="/").stdout


@posix
def test_made_token_is_long_and_readable_by_its_owner_alone(project: Path) -> None:
    make_secrets(project)

    token = load_settings({}, project / ".env").auth_token
    assert token is not None
    assert re.fullmatch(r"[0-9a-f]{64}", token.get_secret_value())
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600


@posix
def test_token_is_shown_nowhere(project: Path) -> None:
    said = make_secrets(project)

    assert (project / ".env").read_text(encoding="utf-8").strip().partition("=")[2] not in said


@posix
@pytest.mark.parametrize(
    "kept", ["AUTH_TOKEN=chosen-by-me\n", "PORT=9000\nexport AUTH_TOKEN='chosen by me'", 'AUTH_TOKEN="chosen-by-me"\n']
)
def test_token_that_is_there_is_never_changed(project: Path, kept: str) -> None:
    (project / ".env").write_text(kept, encoding="utf-8")

    make_secrets(project)

    assert (project / ".env").read_text(encoding="utf-8") == kept
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("held", ["LOG_LEVEL=DEBUG", "LOG_LEVEL=DEBUG\n# AUTH_TOKEN=\nAUTH_TOKEN=\n"])
def test_other_lines_stay_when_a_token_is_added(project: Path, held: str) -> None:
    (project / ".env").write_text(held, encoding="utf-8")

    make_secrets(project)

    settings = load_settings({}, project / ".env")
    assert (project / ".env").read_text(encoding="utf-8").startswith(held)
    assert (settings.log_level, settings.auth_token is not None) == ("DEBUG", True)


# -- the image's own command, as an ordinary user on a file system that cannot be written ---------------------------


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that belongs to nobody, the user; everything else will be read-only."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root on Linux can become another user")
    if subprocess.run([*_READ_ONLY, *as_nobody("true")], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets no mount be made")
    folder = Path(tempfile.mkdtemp(prefix="mcp-"))
    for part in (folder, folder / "data", folder / "tmp"):
        part.mkdir(exist_ok=True)
        os.chown(part, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


_READ_ONLY = ("unshare", "--mount", "sh", "-ceu", 'mount -o remount,bind,ro /; exec "$@"', "sh")


def as_nobody(*argv: str) -> list[str]:
    """Return the command that runs `argv` as nobody, who may read everything: Python may lie in the home of root."""
    may_read = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read, *argv]


@pytest.mark.slow
def test_image_command_needs_neither_root_nor_a_writable_disk(own_folder: Path, new_server: NewServer) -> None:
    # A bind mount of its own stays writable when the root is not any more.
    keep = 'for one in data tmp; do mount --bind "$0/$one" "$0/$one"; done; mount -o remount,bind,ro /; exec "$@"'
    command = as_nobody(sys.executable, *exec_form("CMD")[1:])
    temporary = str(own_folder / "tmp")
    server = new_server(
        {"HOME": temporary, "TMPDIR": temporary, "HOST": "0.0.0.0", "AUTH_TOKEN": "token-of-this-test"},
        data_dir=own_folder / "data",
        argv=("unshare", "--mount", "sh", "-ceu", keep, str(own_folder), *command),
    ).start()

    healthy, absent = (probe(port) for port in (server.base.rpartition(":")[2], "1"))
    code = server.stop()

    assert (healthy, absent, code) == (0, 1, 0)
    assert {path.stat().st_uid for path in (own_folder / "data").iterdir()} == {NOBODY}


def probe(port: str) -> int:
    """Return the exit code of the image's health check against this port."""
    command = [sys.executable, *exec_form("HEALTHCHECK")[1:]]
    return subprocess.run(command, check=False, capture_output=True, env={"PORT": port}).returncode
