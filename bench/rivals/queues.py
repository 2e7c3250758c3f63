"""Celery, Dramatiq, Taskiq and Scrapyd, each started as its documentation says."""

import asyncio
import shutil
import socket
from pathlib import Path
from typing import Any

import httpx

from bench.rivals.rival import AT_ONCE, PROGRAMS, WORKERS, Driver, Workers

_START_S = 180.0
_READY = {"celery": " ready.", "dramatiq": "is ready for action", "taskiq": "Listening started"}
_COMMANDS = {
    "celery": ["celery", "-A", "celery_app", "worker", "-c", str(AT_ONCE), "--loglevel", "INFO", "-n"],
    "dramatiq": ["dramatiq", "dramatiq_app", "-p", "1", "-t", str(AT_ONCE)],
    "taskiq": ["taskiq", "worker", "taskiq_app:broker", "--workers", "1", "--max-async-tasks", str(AT_ONCE)],
}


class Queue:
    """A queue on Redis: two workers and a driver. `is_tuned`: with what its documentation says against losing tasks."""

    def __init__(self, kind: str, *, venv: Path, folder: Path, site: str, redis: str, is_tuned: bool) -> None:
        self.name = kind if is_tuned else f"{kind}, defaults"
        self._kind = kind
        self._bin = venv / "bin"
        socket_url = f"redis+socket://{redis.removeprefix('unix://')}" if kind == "celery" else redis
        environ = {"SITE": site, "QUEUE_REDIS": socket_url, "QUEUE_TUNED": "1" if is_tuned else "0"}
        self._workers = Workers(folder, environ)
        self._driver = Driver([str(self._bin / "python"), str(PROGRAMS / f"{kind}_app.py")], environ)

    async def start(self) -> None:
        """Start both workers and wait until they say that they are ready."""
        program, *rest = _COMMANDS[self._kind]
        for number in range(WORKERS):
            name = [f"worker{number}@localhost"] if self._kind == "celery" else []
            self._workers.start([str(self._bin / program), *rest, *name])
        await self._driver.start()
        await self._workers.say(_READY[self._kind], within_s=_START_S)

    async def submit(self, job: str) -> str:
        """Hand in a job."""
        return await self._driver.ask(f"submit {job}")

    async def cancel(self, reference: str) -> bool:
        """Stop a job that runs."""
        return await self._driver.ask(f"cancel {reference}") == "yes"

    async def kill_one(self) -> None:
        """End one worker with SIGKILL."""
        self._workers.kill(0)

    async def stop(self) -> None:
        """End everything."""
        await self._driver.stop()
        self._workers.kill_all()


class Scrapyd:
    """Two Scrapyd servers, each with a queue of its own; jobs go to them in turn."""

    name = "scrapyd"

    def __init__(self, *, venv: Path, folder: Path, site: str) -> None:
        self._bin = venv / "bin"
        self._folder = folder
        self._ports = [_free_port() for _ in range(WORKERS)]
        # Its jobs find the spider by PYTHONPATH and by this name.
        self._workers = Workers(folder, {"SITE": site, "SCRAPY_SETTINGS_MODULE": "chain_spider"})
        self._client = httpx.AsyncClient(trust_env=False, timeout=30.0)
        self._submitted = 0
        self._dead: set[int] = set()

    async def start(self) -> None:
        """Start both and wait until they answer."""
        for number, port in enumerate(self._ports):
            home = self._folder / f"scrapyd-{number}"
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            (home / "scrapyd.conf").write_text(
                f"[scrapyd]\nhttp_port = {port}\nmax_proc = {AT_ONCE}\npoll_interval = 0.5\n"
                "[settings]\nchains = chain_spider\n",
                encoding="utf-8",
            )
            self._workers.start([str(self._bin / "scrapyd")], cwd=home)
        async with asyncio.timeout(_START_S):
            for number in range(WORKERS):
                while not await self._answers(number):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)

    async def submit(self, job: str) -> str:
        """Schedule the spider for a job."""
        number = self._submitted % WORKERS
        self._submitted += 1
        if number in self._dead:
            number = next(other for other in range(WORKERS) if other not in self._dead)
        answer = await self._call(number, "schedule.json", project="chains", spider="chain", job=job)
        return f"{number} {answer['jobid']}"

    async def cancel(self, reference: str) -> bool:
        """Cancel a job; its answer says in which state it was."""
        number, _, job_id = reference.partition(" ")
        answer = await self._call(int(number), "cancel.json", project="chains", job=job_id)
        return bool(answer["status"] == "ok")

    async def kill_one(self) -> None:
        """End one server, and the spiders it started, with SIGKILL."""
        self._dead.add(0)
        self._workers.kill(0)

    async def stop(self) -> None:
        """End everything."""
        await self._client.aclose()
        self._workers.kill_all()

    async def _answers(self, number: int) -> bool:
        try:
            await self._client.get(f"http://127.0.0.1:{self._ports[number]}/daemonstatus.json")
        except httpx.HTTPError:
            return False
        return True

    async def _call(self, number: int, path: str, **data: str) -> dict[str, Any]:
        answer = await self._client.post(f"http://127.0.0.1:{self._ports[number]}/{path}", data=data)
        made: dict[str, Any] = answer.json()
        return made


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
