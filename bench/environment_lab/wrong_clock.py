"""A clock set wrong: libfaketime around the server alone, its stores outside and right, monotonic time left alone."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.environment_lab.facts import Facts, House, SkippedError, house
from bench.harness.stores import SharedStores

JUMPS = ("-3d", "+40d")
_LIBRARIES = ("usr/lib/*/faketime/libfaketime.so.1", "usr/local/lib/faketime/libfaketime.so.1")
# libfaketime 0.9.10, told to leave monotonic time alone, fails every sleep until a monotonic moment, which is how
# Python sleeps: EINVAL. So that call goes past it.
_SLEEP = """
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, until, left) == 0 ? 0 : errno;
}
"""
_SOON_S = 3.0
_NEAR_S = 3.0
# Days late is what is looked for; a busy machine takes seconds.
_LATE_S = 30.0


def preloads(folder: Path) -> str:
    """Return what LD_PRELOAD has to name. Raises SkippedError when libfaketime or a C compiler is missing."""
    library = next((found for pattern in _LIBRARIES for found in sorted(Path("/").glob(pattern))), None)
    compiler = shutil.which("cc")
    if library is None or compiler is None:
        raise SkippedError("needs libfaketime and a C compiler (apt-get install faketime gcc)")
    source, shim = folder / "sleep.c", folder / "sleep.so"
    source.write_text(_SLEEP, "utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(source)], check=True)
    return f"{shim}:{library}"


def prepare(folder: Path) -> tuple[str, Path]:
    """Make the folder; return what LD_PRELOAD has to name, and the file that says what time it is."""
    folder.mkdir(parents=True)
    moment = folder / "moment"
    moment.write_text("+0", "ascii")
    return preloads(folder), moment


async def clock_jumps(folder: Path, facts: Facts) -> None:
    """Set the server's clock three days back and forty days ahead, and right again, while a crawl and a video run."""
    library, moment = prepare(folder)
    stores = SharedStores(folder / "s")
    await stores.start()
    try:
        settings = {
            **stores.settings("clock"),
            **{"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(moment), "FAKETIME_NO_CACHE": "1"},
            # The usual lease: a busy machine must not lose one by itself.
            **{"FAKETIME_DONT_FAKE_MONOTONIC": "1", "LEASE_S": "30"},
        }
        async with house(folder, **settings) as home:
            session = await _session(home)
            for jump in (*JUMPS, "+0"):
                await _jump(home, facts, moment, jump, session=session)
    finally:
        await stores.stop()


async def _jump(home: House, facts: Facts, moment: Path, jump: str, *, session: httpx.Cookies) -> None:
    name = "set right again" if jump == "+0" else jump
    running = [await home.create("crawl"), await home.create("video")]
    await home.until(home.has_begun, within_s=10)
    await asyncio.to_thread(moment.write_text, jump, "ascii")
    made_at = datetime.now(UTC)
    run_at = (made_at + timedelta(seconds=_SOON_S)).isoformat().replace("+00:00", "Z")
    later = await home.server.call("POST", "/tasks", {**home.body("video"), "run_at": run_at})
    tasks = [await home.ended(task_id) for task_id in [*running, later["task_id"]]]
    ends, changes = [task["status"] for task in tasks], [_reasons(task) for task in tasks]
    facts.note(f"{name}: every task succeeded", set(ends) == {"succeeded"}, ends)
    facts.note(f"{name}: no lease was lost", all(one == _UNDISTURBED for one in changes), changes)
    off_s = abs((_time(later["created_at"]) - made_at).total_seconds())
    facts.note(f"{name}: created_at is right", off_s < _NEAR_S, f"off by {off_s:.2f} s")
    late_s = (_time(tasks[2]["started_at"]) - _time(run_at)).total_seconds()
    facts.note(f"{name}: a scheduled task starts when it is due", 0 <= late_s < _LATE_S, f"{late_s:.2f} s after")
    facts.note(f"{name}: a session made before is good", await _is_good(home, session))
    state = (await home.health()).parts["mongodb"]
    facts.note(f"{name}: /health tells of the clock", state == ("ok" if jump == "+0" else "degraded"), state)


_UNDISTURBED = ["created", "claimed", "ended"]


def _reasons(task: dict[str, Any]) -> list[str]:
    return [entry["reason"] for entry in task["history"]]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _session(home: House) -> httpx.Cookies:
    """Log in as a browser does, and return what it is given."""
    async with httpx.AsyncClient(base_url=home.server.address, trust_env=False) as client:
        answer = await client.post("/login", data={"token": home.server.token, "next": "/"})
        if answer.is_error:
            answer.raise_for_status()
        return client.cookies


async def _is_good(home: House, session: httpx.Cookies) -> bool:
    async with httpx.AsyncClient(base_url=home.server.address, trust_env=False, cookies=session) as client:
        return (await client.get("/api/v1/tasks")).is_success
