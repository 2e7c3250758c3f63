"""A full disk: under the stores, under the files alone, under the logs. On a small tmpfs, which takes root to mount."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.crash_lab.scenarios import Kind
from bench.environment_lab.facts import PARTS, Facts, House, SkippedError, house

_CHUNK = 1 << 16
# mongod takes some 40 MB when it is new.
_STORES_MB = 256
_FILES_MB = 4
_LOGS_MB = 1
_FILE_KINDS: tuple[Kind, ...] = ("film", "video")
# The stores are started again after pauses that grow to 30 s.
_BACK_WITHIN_S = 60.0


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of that size at `place`. Raises SkippedError where that is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        raise SkippedError(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@contextlib.contextmanager
def filled(place: Path) -> Iterator[None]:
    """Leave no byte free inside."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(_CHUNK)):
            pass
        while file.write(bytes(1)):
            pass
    try:
        yield
    finally:
        ballast.unlink()


async def stores_full(folder: Path, facts: Facts) -> None:
    """Fill the disk under DATA_DIR with both embedded stores while a crawl runs; then make room again."""
    with small_disk(folder / "data", _STORES_MB) as data:
        async with house(folder, data=data) as home:
            server, pid = home.server, home.server.pid
            running = await home.create("crawl")
            await home.until(home.has_begun, within_s=10)
            with filled(data):
                seen = await _asked_while_full(home, facts)
            back = await home.until(home.is_healthy, within_s=_BACK_WITHIN_S)
            facts.note("healthy again when there is room, by itself", back, await home.health())
            tasks = [await home.ended(task_id) for task_id in [running, *seen]]
            facts.note("same process throughout", server.is_running and server.pid == pid)
            facts.note(
                "every task that was answered for has ended", all(task["is_final"] for task in tasks), _ends(tasks)
            )
            facts.note("books balance", all(task["books"]["balanced"] for task in tasks))
            items = await server.call("GET", f"/tasks/{running}/items", limit=200)
            unique = {item["item_id"] for item in items["items"]}
            facts.note("each page stored once", len(unique) == len(items["items"]) == tasks[0]["books"]["stored"])


async def _asked_while_full(home: House, facts: Facts) -> list[str]:
    """Ask while the disk is full; return the ids of tasks that were answered as created."""
    created, codes, words = [], [], set()
    for _ in range(40):
        try:
            created.append(await home.create("crawl"))
            codes.append(201)
        except httpx.HTTPStatusError as error:
            codes.append(error.response.status_code)
            words.add(error.response.json()["message"])
        except httpx.HTTPError as error:
            codes.append(0)
            words.add(type(error).__name__)
        if codes.count(503) >= 3:
            break
    facts.note(
        "a create is refused as 503 with a word why, or truly stored", set(codes) <= {200, 201, 503}, f"{codes} {words}"
    )

    async def says_so() -> bool:
        return "disk" in (await home.health()).ill

    facts.note("/health says so", await home.until(says_so, within_s=20), (await home.health()).ill)
    return created


async def files_full(folder: Path, facts: Facts) -> None:
    """Fill the disk under DATA_DIR/artifacts alone: a render and a download find no room."""
    with small_disk(folder / "data" / "artifacts", _FILES_MB) as disk:
        async with house(folder) as home:
            with filled(disk):
                for kind in _FILE_KINDS:
                    task = await home.ended(await home.create(kind))
                    error = (task["error"] or {}).get("name")
                    facts.note(
                        f"{kind}: failed as DISK_FULL",
                        (task["status"], error) == ("failed", "DISK_FULL"),
                        f"{task['status']} {error}",
                    )
                    facts.note(f"{kind}: books balance", task["books"]["balanced"], task["books"])
                    facts.note(f"{kind}: no half file", not _parts(folder), _parts(folder))
                listed = await home.server.call("GET", "/tasks", status="failed")
            facts.note(
                "nothing was paid for twice", home.stand_in.submits_accepted == 1, home.stand_in.submits_accepted
            )
            for old in listed["items"]:
                again = await home.server.call("POST", f"/tasks/{old['task_id']}/retry")
                task = await home.ended(again["task_id"])
                facts.note(
                    f"{old['platform']}: a retry succeeds when there is room",
                    task["status"] == "succeeded",
                    task["status"],
                )


async def logs_full(folder: Path, facts: Facts) -> None:
    """Fill the disk under the log file and under what stderr goes to, while a crawl runs."""
    with small_disk(folder / "logs", _LOGS_MB) as logs:
        async with house(folder, logs=logs) as home:
            with filled(logs):
                task = await home.ended(await home.create("crawl"))
                facts.note("a crawl succeeds without a log", task["status"] == "succeeded", task["status"])
                facts.note("/health answers", await home.is_healthy(), await home.health())
            later = await home.ended(await home.create("crawl"))
            for name in ("file.log", "server-1.log"):
                said = (logs / name).read_text("utf-8", "replace")
                facts.note(f"lines come again when there is room: {name}", later["task_id"] in said)


def _ends(tasks: list[dict[str, Any]]) -> list[str]:
    return [task["status"] for task in tasks]


def _parts(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for pattern in PARTS for path in folder.rglob(pattern))
