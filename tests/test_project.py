"""What holds for the repository as a whole."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from backend.core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
MAX_MODULE_LINES = 500
COMPOSE_MARGIN_S = 10
# Part of pydantic, which asks for one exact version of it; part of Python from 3.14 on.
NOT_DECLARED = {"pydantic_core", "compression"}
CODE = ("backend", "scripts", "bench", "tests")
# Written in two halves, so that this file does not find itself.
FORBIDDEN = [
    "/work" + "/(main|shared)",
    "/root" + "/",
    "/tmp" + "/(brief|bash_jobs)",
    "/opt" + "/(wheels|pypi)",
    "registry" + r"\.npm",
    "pypi" + r"\.org/simple",
    "files" + r"\.pythonhosted\.org",
    "npm" + "mirror",
    "mirrors?" + r"\.[a-z0-9-]+\.",
]


@cache
def _tracked() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=False, capture_output=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return tuple(ROOT / name for name in names if (ROOT / name).is_file())


@cache
def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _direct(*extras: str) -> list[Requirement]:
    project = _project()["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@cache
def _locked(lock: str) -> dict[str, list[str]]:
    """Return the versions pinned by a lock: several when they differ by platform."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE):
        pins.setdefault(canonicalize_name(name), []).append(version)
    return pins


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("runtime", ("embedded", "memory", "media", "browser")),
        ("dev", ("embedded", "memory", "media", "browser", "dev")),
    ],
)
def test_lock_is_in_step_with_pyproject(lock: str, extras: tuple[str, ...]) -> None:
    pins = _locked(lock)

    behind = [
        str(requirement)
        for requirement in _direct(*extras)
        if not any(requirement.specifier.contains(pin) for pin in pins.get(canonicalize_name(requirement.name), []))
    ]

    assert behind == [], "run: make lock"


def test_development_uses_the_versions_that_run() -> None:
    different = {name for name, pins in _locked("runtime").items() if _locked("dev").get(name) != pins}

    assert different == set(), "run: make lock"


@pytest.mark.parametrize("lock", ["runtime", "dev", "node"])
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")

    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]

    assert blocks
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_build_requirements_are_pinned_too() -> None:
    lines = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not line.startswith("#")] == _project()["build-system"]["requires"]


def test_every_imported_package_is_a_direct_dependency() -> None:
    extras = _project()["project"]["optional-dependencies"]
    declared = {canonicalize_name(requirement.name) for requirement in _direct(*extras)}
    owners = packages_distributions()

    undeclared = {
        name
        for path in (ROOT / "backend").rglob("*.py")
        for name in _imported(path)
        if name not in sys.stdlib_module_names and name != "backend"
        if declared.isdisjoint(canonicalize_name(owner) for owner in owners.get(name, []))
    }

    assert undeclared - NOT_DECLARED == set()


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_every_direct_dependency_has_a_reason_on_record() -> None:
    records = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    named = {canonicalize_name(name) for name in re.findall(r"`([A-Za-z0-9._-]+)`", records)}

    extras = _project()["project"]["optional-dependencies"]
    unnamed = {canonicalize_name(requirement.name) for requirement in _direct(*extras)} - named

    assert unnamed == set(), "say why in a record under docs/decisions"


def test_no_tracked_file_names_a_machine_or_a_registry_host() -> None:
    forbidden = re.compile("|".join(FORBIDDEN).encode(), re.IGNORECASE)

    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in _tracked()
        if (match := forbidden.search(path.read_bytes()))
    ]

    assert found == []


def test_links_between_documents_resolve() -> None:
    link = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")

    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in _tracked()
        if path.suffix == ".md"
        for target in link.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]

    assert broken == []


def test_no_module_is_longer_than_the_ceiling() -> None:
    modules = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]

    too_long = [
        str(path.relative_to(ROOT))
        for path in modules
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_MODULE_LINES
    ]

    assert too_long == []


def test_no_module_is_called_after_nothing() -> None:
    nameless = {"utils", "helpers", "common", "misc"}

    assert [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if path.stem in nameless] == []


def test_nothing_in_backend_shadows_the_standard_library() -> None:
    # `python main.py` in backend/ puts that folder first on the path.
    names = {path.stem for path in (ROOT / "backend").iterdir() if path.suffix in {"", ".py"}}

    assert names & sys.stdlib_module_names == set()


def test_store_operation_is_awaited_where_it_is_begun() -> None:
    """The driver begins it when it is called: given to a task that is cancelled first, nobody would know of it."""
    left = []
    for path in sorted((ROOT / "backend").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
        left += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_db.do") and id(node) not in awaited
        ]

    assert left == []


def test_containers_get_time_to_stop() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    app = compose[compose.index("  app:") : compose.index("  mongo:")]
    period = re.search(r"stop_grace_period: (\d+)s", app)
    grace = re.search(r'SHUTDOWN_GRACE_S: "(\d+)"', app)

    assert period is not None
    assert grace is not None
    assert float(grace[1]) == Settings.model_fields["shutdown_grace_s"].default
    assert int(period[1]) == int(grace[1]) + COMPOSE_MARGIN_S


def test_stores_in_containers_are_not_published() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    assert compose.count("ports:") == 1
    assert re.search(r"\n  stores:\n    internal: true\n", compose)


def test_both_readmes_show_the_same_commands() -> None:
    code = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)

    english, chinese = (
        [re.sub(r"(^|\s+)#.*", "", block) for block in code.findall((ROOT / name).read_text(encoding="utf-8"))]
        for name in ("README.md", "README.zh-CN.md")
    )

    assert english
    assert chinese == english


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listing = (folder / "README.md").read_text(encoding="utf-8")

    records = sorted(path.name for path in folder.glob("[0-9]*.md"))

    assert records
    assert [name for name in records if f"({name})" not in listing] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
def test_ci_script_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
