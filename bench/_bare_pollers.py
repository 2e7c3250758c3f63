"""The floor of `bench pollers`: bare aiohttp, a task a poller, nothing stored or checked, a process of its own.

`python -m bench._bare_pollers URL COUNT MEAN_S SECONDS` polls until all have started, then measures for SECONDS and
prints one JSON object.
"""

import asyncio
import random
import sys
import time

import aiohttp
import orjson
import psutil

from bench.report import percentile

_STEP_S = 0.02


class _Pollers:
    def __init__(self, session: aiohttp.ClientSession, url: str, mean_s: float) -> None:
        self.polls = 0
        self._session = session
        self._url = url
        self._mean_s = mean_s
        self._chance = random.Random(1)

    async def poll_forever(self, number: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, self._mean_s))
        while True:
            async with self._session.get(f"{self._url}/bare-{number}") as answer:
                await answer.json()
            self.polls += 1
            await asyncio.sleep(self._mean_s * self._chance.uniform(0.9, 1.1))


async def _lags(seconds: float) -> list[float]:
    until, found = time.perf_counter() + seconds, []
    while (begun := time.perf_counter()) < until:
        await asyncio.sleep(_STEP_S)
        found.append((time.perf_counter() - begun - _STEP_S) * 1000)
    return found


async def _main(url: str, count: int, mean_s: float, seconds: float) -> dict[str, float]:
    rss = psutil.Process().memory_info().rss
    headers = {"Authorization": "Bearer stand-in-key.stand-in-secret", "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout, headers=headers
    ) as session:
        pollers = _Pollers(session, url, mean_s)
        tasks = [asyncio.create_task(pollers.poll_forever(number), name="poller") for number in range(count)]
        await asyncio.sleep(3 * mean_s)
        polls, cpu, wall = pollers.polls, time.process_time(), time.perf_counter()
        lags = await _lags(seconds)
        polls, cpu, wall = pollers.polls - polls, time.process_time() - cpu, time.perf_counter() - wall
        rss = psutil.Process().memory_info().rss - rss
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return {
        "cpu_us": cpu / polls * 1e6,
        "core_percent": cpu / wall * 100,
        "made_percent": polls / (count / mean_s * wall) * 100,
        "lag_ms_p50": percentile(lags, 50),
        "lag_ms_p99": percentile(lags, 99),
        "rss_kb": rss / count / 1000,
    }


if __name__ == "__main__":
    target, number_of, mean, length = sys.argv[1:]
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(_main(target, int(number_of), float(mean), float(length)))))
