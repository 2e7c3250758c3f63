"""Looks whether a platform can still be read on the live site: your own server, your own browser, your own session.

    python scripts/live_check.py xhs [--keyword 露营] [--note URL] [--creator URL] [--server http://127.0.0.1:8888]

A few small tasks run on your server at a person's speed; should the site want a login or a captcha, you solve it, in
the browser or on the task's page. The report says how they ended, how long they took and how often each field came
filled. It holds no ids, names, links, texts, keywords or tokens: read it before you send it to anybody.
With AUTH_TOKEN set on the server, set it here too. Exit code 0 when every task held, 1 when one did not, 2 before that.
"""

import argparse
import json
import os
import platform as machine
import re
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from backend.domain.drift import FIELDS  # noqa: E402 - the root is put on the path above
from backend.domain.task import TaskStatus  # noqa: E402

CANNOT_START = 2
STOPPED = 130
_CALL_S = 60.0
_WAIT_S = 15
_ITEMS_A_PAGE = 200
_METRICS = frozenset({"like", "comment", "share", "save", "view"})
_BOOKS = ("requested", "ok", "empty", "blocked", "failed", "skipped", "aborted", "stored", "reported_total")
# What may stand in a report besides numbers: words of ours, and names of fields, which hold no digits of an id.
_WORD = re.compile(r"[A-Za-z][A-Za-z_:./-]{0,60}")
_PLAIN = re.compile(r"[A-Za-z_-]{0,40}")
_FIELD = re.compile(r"[a-z][a-z_]{1,40}")
# Shorter ones (two Chinese characters have six) stand there by chance.
_LEAST_WORD_BYTES = 5
_OWN_WORDS = frozenset(
    {
        *(*FIELDS, *_BOOKS, *TaskStatus, "report", "platform", "server", "steps", "type", "status", "error", "groups"),
        *("search", "detail", "creator", "comment", "pages", "items", "filled", "extra", "books", "source", "order"),
        *("another", "their", "notes", "comments", "replies", "state", "version", "revision", "system", "python"),
    }
)

Json = dict[str, Any]
Ask = Callable[[str], object]


class CheckError(Exception):
    """The check cannot go on; the message says what to do."""


class LeakError(Exception):
    """Something that was read stands in the report: it is not written."""


@dataclass(frozen=True, slots=True)
class Step:
    """One small task: what it is called in the report, and what it asks for."""

    name: str
    type: str
    params: Mapping[str, Any]


def steps_of_xhs(given: argparse.Namespace) -> Iterator[Step]:
    """Yield a search with notes and comments, one over two pages in another order, and the links that were given."""
    words = {"keywords": [given.keyword]}
    yield Step("search with notes", "search", {**words, "limit": 5, "comments": True, "comments_limit": 5})
    newest = {"limit": 25, "details": False, "sort": "time_descending"}
    yield Step("search in another order", "search", {**words, **newest})
    if given.note:
        depth = {"comments": True, "comments_limit": 15, "replies": True}
        yield Step("note by its link", "detail", {"urls": [given.note], **depth})
    if given.creator:
        yield Step("creator by their link", "creator", {"urls": [given.creator], "limit": 3})


STEPS: Mapping[str, Callable[[argparse.Namespace], Iterator[Step]]] = {"xhs": steps_of_xhs}


class Server:
    """The API of a running server."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept-Language": "zh-CN", "Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: object = None) -> Json:
        """Return the JSON of an answer. Raises CheckError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_CALL_S) as answer:
                read: Json = json.load(answer)
                return read
        except urllib.error.HTTPError as error:
            said = error.read(2_000).decode("utf-8", "replace")
            raise CheckError(f"{method} {path.partition('?')[0]}: {error.code} {said}") from error
        except (OSError, ValueError) as error:
            raise CheckError(f"{self.url}: {error}. 先启动服务 / start the server first: ./scripts/run.sh") from error

    def data(self, method: str, path: str, body: object = None) -> Any:
        """Return `data` of an answer."""
        return self.call(method, f"/api/v1{path}", body)["data"]

    def items(self, task_id: str) -> list[Json]:
        """Return everything a task has found."""
        found: list[Json] = []
        cursor = ""
        while True:
            page = self.data("GET", f"/tasks/{task_id}/items?limit={_ITEMS_A_PAGE}{cursor}")
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


def run_step(server: Server, platform: str, step: Step, *, ask: Ask, say: Ask) -> tuple[Json, list[Json]]:
    """Run one task to its end; return what the report says of it, and what it found. Raises CheckError."""
    begun = time.monotonic()
    body = {"platform": platform, "type": step.type, "params": dict(step.params), "title": "live_check"}
    record = server.data("POST", "/tasks", body)
    waits: list[str] = []
    try:
        record = _followed(server, record, waits, ask=ask, say=say)
    except (KeyboardInterrupt, CheckError):
        server.data("DELETE", f"/tasks/{record['task_id']}")
        raise
    items = server.items(record["task_id"])
    pages = server.data("GET", f"/tasks/{record['task_id']}/pages?limit=200")["items"]
    return _told(step, record, items, pages, took_s=time.monotonic() - begun, waits=waits), items


def _followed(server: Server, record: Json, waits: list[str], *, ask: Ask, say: Ask) -> Json:
    page = f"{server.url}/tasks/{record['task_id']}"
    has_said = False
    while not record["is_final"]:
        notice = (record["notice"] or {}).get("code", "NEEDS_PERSON")
        if record["status"] == "waiting":
            waits.append(notice)
            ask(f"需要你处理 / a person is needed ({notice}): {page}  处理后按回车 / solve it, then press Enter ")
            record = server.data("POST", f"/tasks/{record['task_id']}/resume")
        elif record["progress"]["stage"] == "needs_person" and not has_said:
            has_said = True
            waits.append(notice)
            say(f"请扫码或处理页面 / scan the code, or solve the page: {page}")
        path = f"/tasks/{record['task_id']}?wait={_WAIT_S}&until=changed"
        record = server.data("GET", path)
    return record


def _told(
    step: Step, record: Json, items: Sequence[Json], pages: Sequence[Json], *, took_s: float, waits: Sequence[str]
) -> Json:
    error = record["error"] or {}
    outcomes = Counter(f"{page['outcome']}:{page['error'] or page['http_status'] or '-'}" for page in pages)
    return {
        "step": step.name,
        "type": step.type,
        "status": record["status"],
        "error": _word(error.get("name")),
        "waited_for": [_word(code) for code in waits],
        "took_s": round(took_s, 1),
        "books": {name: record["books"][name] for name in _BOOKS},
        "pages": dict(sorted(outcomes.items())),
        "groups": fill_of(items),
    }


def fill_of(items: Sequence[Json]) -> list[Json]:
    """Return for each kind and source how many items there are, and the share of them that has each field."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for item in items:
        groups.setdefault((item["kind"], _word(item["source"]) or "?"), []).append(item)
    return [
        {
            "kind": kind,
            "source": source,
            "items": len(found),
            "filled": {name: _share(sum(_has(item, name) for item in found), len(found)) for name in FIELDS},
            "extra": _extra_of(found),
        }
        for (kind, source), found in sorted(groups.items())
    ]


def _extra_of(items: Sequence[Json]) -> Json:
    names = Counter(name for item in items for name in item["extra"] if _FIELD.fullmatch(name))
    return {name: _share(number, len(items)) for name, number in sorted(names.items())}


def _has(item: Json, name: str) -> bool:
    value = item["metrics"][name] if name in _METRICS else item[name]
    return value is not None and value not in ("", [])


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def about(server: Server, platform: str) -> Json:
    """Return what the report says of versions. Raises CheckError when the platform cannot run there now."""
    health = server.call("GET", "/health")
    known = {one["id"]: one for one in server.data("GET", "/platforms")["items"]}
    if platform not in known:
        raise CheckError(f"这个服务没有平台 / the server has no platform {platform}")
    availability = known[platform]["availability"]
    if not availability["available"]:
        raise CheckError(f"{platform}: {availability['reason']} {availability['advice'] or ''}")
    return {
        "version": health.get("version"),
        "revision": health.get("revision"),
        "is_stale": health.get("stale"),
        "system": machine.system(),
        "python": machine.python_version(),
    }


def redacted(report: Json, items: Sequence[Json], secrets: Sequence[str]) -> str:
    """Return the report as text. Raises LeakError when a value of an item, or one of `secrets`, stands in it."""
    text = json.dumps(report, ensure_ascii=False, indent=2)
    # An item that says one of our own words gives nobody away.
    ours = _OWN_WORDS | {part for item in items for part in (item["source"], *item["source"].split(":"))}
    read = [(name, word) for item in items for name, word in _private(item)] + [("secret", word) for word in secrets]
    leaks = {name for name, word in read if _is_telling(word) and word not in ours and word in text}
    if leaks:
        names = ", ".join(sorted(leaks))
        raise LeakError(f"报告中有读到的内容，未写出 / what was read stands in the report, not written: {names}")
    return text + "\n"


def _private(item: Json) -> Iterator[tuple[str, str]]:
    for name, value in item.items():
        if name in {"kind", "source", "platform", "lang"}:
            continue
        for word in _strings(value):
            # Here a plain word is one of ours or the site's own: a type of note, of a picture.
            if name not in {"extra", "media"} or not _PLAIN.fullmatch(word):
                yield name, word


def _is_telling(word: str) -> bool:
    return len(word.encode()) >= _LEAST_WORD_BYTES


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def check(given: argparse.Namespace, *, ask: Ask = input, say: Ask = print) -> int:
    """Run the steps and write the report; return the exit code. Raises CheckError and LeakError."""
    server = Server(given.server, os.environ.get("AUTH_TOKEN"))
    report: Json = {"report": 1, "platform": given.platform, "made_on": datetime.now(UTC).date().isoformat()}
    report["server"] = about(server, given.platform)
    report["steps"] = []
    found: list[Json] = []
    for step in STEPS[given.platform](given):
        say(f"… {step.name}")
        told, items = run_step(server, given.platform, step, ask=ask, say=say)
        found += items
        report["steps"].append(told)
        say(f"{'✅' if held(told) else '❌'} {step.name}: {told['status']} {told['error'] or ''} {len(items)} items")
    secrets = [word for word in (given.keyword, given.note, given.creator, os.environ.get("AUTH_TOKEN")) if word]
    given.report.write_text(redacted(report, found, secrets), encoding="utf-8")
    say(f"报告 / report: {given.report}  发送前请先看一遍 / read it before you send it")
    return 0 if all(held(one) for one in report["steps"]) else 1


def held(told: Json) -> bool:
    """Whether a task ended well and found something."""
    return bool(told["status"] == "succeeded" and told["books"]["stored"] > 0)


def main(arguments: Sequence[str]) -> int:
    """Check, and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A console of another encoding must not lose a line.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    given = parser().parse_args(arguments)
    try:
        return check(given)
    except (CheckError, LeakError) as error:
        print(f"❌ {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        print("已中断，任务已取消 / stopped; the task is cancelled", file=sys.stderr)
        return STOPPED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("platform", choices=sorted(STEPS))
    made.add_argument("--server", default="http://127.0.0.1:8888", help="your running server (%(default)s)")
    made.add_argument("--keyword", default="露营", help="searched for; not in the report (%(default)s)")
    made.add_argument("--note", help="a note's link as the browser shows it, with its token")
    made.add_argument("--creator", help="a creator's link as the browser shows it")
    made.add_argument("--report", type=Path, default=Path("live_check.json"), help="where it is written (%(default)s)")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
