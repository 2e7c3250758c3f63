"""Counts every task's work again from rows, items and artifacts, and holds its books against that (promise P5)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.database import Database

Document = Mapping[str, Any]
_PARTS = ("ok", "empty", "blocked", "failed", "skipped", "aborted")


class Recount:
    """What the store holds of all tasks: read at once, after everything has ended."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.rows: dict[str, Counter[str]] = defaultdict(Counter)
        self.items: Counter[str] = Counter()
        self.outputs: Counter[str] = Counter()
        self.late_writes = 0
        key = {name: f"${name}" for name in ("task_id", "outcome", "taken")}
        stages: list[dict[str, Any]] = [
            {"$match": {"state": {"$ne": "alias"}}},
            {"$group": {"_id": key, "rows": {"$sum": 1}}},
        ]
        for found in database["frontier"].aggregate(stages):
            group = found["_id"]
            # Taken up and without an outcome: cut by a cancel.
            word = (group.get("outcome") or "aborted") if group["taken"] else "queued_left"
            self.rows[group["task_id"]][word] += found["rows"]
        for found in database["items"].aggregate([{"$group": {"_id": "$task_id", "items": {"$sum": 1}}}]):
            self.items[found["_id"]] = found["items"]
        outputs: list[dict[str, Any]] = [
            {"$match": {"role": "output"}},
            {"$group": {"_id": "$task_id", "files": {"$sum": 1}}},
        ]
        for found in database["artifacts"].aggregate(outputs):
            self.outputs[found["_id"]] = found["files"]

    def complaints(self, document: Document, pages: int) -> Iterator[str]:
        """Yield what is wrong with the books of one ended task; `pages` is how many a whole crawl of it stores."""
        task_id, books = document["_id"], document["books"]
        parts = sum(books[name] for name in _PARTS)
        if books["requested"] != parts or books["balanced"] is not True:
            yield f"{task_id} ({document['status']}): requested {books['requested']}, parts {parts}, {books}"
        if document["kind"] == "crawl":
            yield from self._crawl_complaints(document, pages)
        elif self.outputs[task_id] > 1:
            yield f"{task_id}: {self.outputs[task_id]} outputs are stored, one was asked for"
        elif (books["ok"], books["stored"]) != (self.outputs[task_id],) * 2:
            yield f"{task_id} ({document['status']}): {self.outputs[task_id]} outputs are stored, books {books}"

    def _crawl_complaints(self, document: Document, pages: int) -> Iterator[str]:
        task_id, books = document["_id"], document["books"]
        rows, items = self.rows[task_id], self.items[task_id]
        counted = {name: rows[name] for name in (*_PARTS, "queued_left")}
        said = {name: books[name] for name in counted}
        if (said, books["stored"]) != (counted, items):
            if _may_be_late(document) and _came_late(said, counted, books["stored"], items):
                self.late_writes += 1
            else:
                yield f"{task_id} ({document['status']}): rows {counted}, {items} items, books {books}"
        # An item comes before the end of its row: a cancel between the two leaves one more item.
        is_cut = document["status"] in {"cancelled", "timed_out", "failed"}
        if rows["ok"] > items or (rows["ok"] < items and not is_cut):
            yield f"{task_id} ({document['status']}): {items} items, {rows['ok']} rows ok"
        if document["status"] == "succeeded" and items != pages:
            yield f"{task_id}: succeeded with {items} of {pages} pages"


def _may_be_late(document: Document) -> bool:
    """Whether somebody lost this task: what he had sent may have arrived after its end."""
    claims = sum(entry["reason"] == "claimed" for entry in document["history"])
    return claims > 1 or document.get("ended_fence") is None


def _came_late(said: Mapping[str, int], counted: Mapping[str, int], stored: int, items: int) -> bool:
    """Whether the store holds the same and more: links queued, rows taken up, items stored after the count.

    Such inserts carry no fence: they are safe in themselves (lifecycle.md, section 3), and are counted apart.
    """
    grown = ("queued_left", "aborted")
    same = all(counted[name] == said[name] for name in said if name not in grown)
    whole = sum(counted[name] - said[name] for name in grown)
    return same and whole >= 0 and counted["aborted"] >= said["aborted"] and items >= stored
