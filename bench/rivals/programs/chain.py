"""The work itself, for queues that run plain functions: fetch the chain of pages of one job."""

import asyncio
import os
import re
import sys
import urllib.request
from collections.abc import Callable

SITE = os.environ.get("SITE", "")
REDIS = os.environ.get("QUEUE_REDIS", "")
IS_TUNED = os.environ.get("QUEUE_TUNED") == "1"
_NEXT = re.compile(rb'href="([^"]+)"')


def fetch_chain(job: str) -> int:
    """Fetch every page of a job; return how many there were."""
    path, count = f"/t/{job}/0", 0
    while path:
        with urllib.request.urlopen(SITE + path) as answer:
            found = _NEXT.search(answer.read())
        path, count = found[1].decode() if found else "", count + 1
    return count


async def fetch_chain_async(job: str) -> int:
    """Do the same without blocking the loop."""
    path, count = f"/t/{job}/0", 0
    while path:
        body = await _get(path)
        found = _NEXT.search(body)
        path, count = found[1].decode() if found else "", count + 1
    return count


async def _get(path: str) -> bytes:
    host, _, port = SITE.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])  # type: ignore[index]
    body = await reader.readexactly(length)
    writer.close()
    return body


def drive(submit: Callable[[str], str], cancel: Callable[[str], bool]) -> None:
    """Answer lines `submit JOB` and `cancel REF` on standard input, one line each."""
    for line in sys.stdin:
        verb, _, what = line.strip().partition(" ")
        answer = submit(what) if verb == "submit" else "yes" if cancel(what) else "no"
        print(answer, flush=True)
