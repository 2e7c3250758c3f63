"""The audit after the quiet: every count is taken from the store, the stand-ins, the logs or the kernel."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pymongo import MongoClient

from bench.chaos.books import Recount
from bench.chaos.history import Starts, broken_histories, strays_of, takeovers, tenures_of
from bench.chaos.leftovers import errors_by_shape, forbidden_lines, part_files, processes_of, tracebacks
from bench.chaos.load import FINAL, Order
from bench.chaos.options import DATABASE
from bench.report import percentile, spread

if TYPE_CHECKING:
    from bench.chaos.run import Chaos

Document = Mapping[str, Any]

# What must be nothing.
VIOLATIONS = (
    *("lost", "doubled", "twice", "unowned", "after_end", "passed_fences", "paid_twice", "stuck", "unbalanced"),
    *(
        "follow_ups_left",
        "cancels_lost",
        "refusals",
        "orphans",
        "processes_left",
        "part_files",
        "loop_words",
        "tracebacks",
        "bad_exits",
    ),
)
_PAGES = re.compile(r"[a-z](\d+)-")


@dataclass(slots=True)
class Findings:
    """Violations by kind, in words; and figures."""

    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, float] = field(default_factory=dict)

    def note(self, kind: str, *lines: str) -> None:
        """Write down what was found."""
        self.lines[kind].extend(lines)

    def count(self, kind: str) -> int:
        """Return how many of a kind there are."""
        return len(self.lines.get(kind, ()))


def audit(chaos: "Chaos", mongo: MongoClient[dict[str, Any]]) -> Mapping[str, float]:
    """Fill the findings of a run whose servers have ended; return all figures."""
    database = mongo[DATABASE]
    documents = list(database["tasks"].find())
    _audit_creates(chaos.findings, chaos.load.orders, documents)
    recount = Recount(database)
    for document in documents:
        if document["status"] in FINAL:
            chaos.findings.note("unbalanced", *recount.complaints(document, _pages_of(document)))
        chaos.findings.note("passed_fences", *broken_histories(document))
    chaos.findings.figures["late_writes"] = recount.late_writes
    _audit_owners(chaos, documents)
    _audit_bills(chaos, documents)
    _audit_what_is_left(chaos)
    chaos.findings.note("stuck", *chaos.watch.stuck.values())
    chaos.findings.note("events", *_events(chaos))
    chaos.findings.note("refusals", *chaos.load.refusals)
    return {**_figures(chaos, documents), **{kind: chaos.findings.count(kind) for kind in VIOLATIONS}}


def _pages_of(document: Document) -> int:
    found = _PAGES.match(document.get("idempotency_key") or "")
    return int(found[1]) if found else 0


def _audit_creates(findings: Findings, orders: Mapping[str, Order], documents: Sequence[Document]) -> None:
    by_key = defaultdict(list)
    for document in documents:
        by_key[document.get("idempotency_key")].append(document)
    for order in orders.values():
        made = by_key.pop(order.name, [])
        if len(made) != 1:
            kind = "doubled" if made else "lost"
            findings.note(kind, f"{order.name}: {len(made)} tasks after {order.creates} creates")
        for document in made:
            _audit_end(findings, order, document)
    findings.note("doubled", *(f"{key}: nobody asked for it" for key in by_key))


def _audit_end(findings: Findings, order: Order, document: Document) -> None:
    task_id, status = document["_id"], document["status"]
    if order.task_id not in {None, task_id}:
        findings.note("lost", f"{order.task_id} was answered, {task_id} is stored ({order.name})")
    if status not in FINAL:
        findings.note("lost", f"{task_id} ({document['platform']}) never ended: {status}, {document['history'][-1]}")
    elif document["after"]:
        findings.note("follow_ups_left", f"{task_id}: {document['after']} after its end")
    if order.cancelled_as not in {None, *FINAL} and document.get("cancel") is None:
        findings.note("cancels_lost", f"{task_id}: DELETE answered {order.cancelled_as}, no cancel is on the record")


def _audit_owners(chaos: "Chaos", documents: Iterable[Document]) -> None:
    servers = {}
    for server in chaos.fleet.servers:
        servers[(server.folder / "instance_id").read_text("utf-8").strip()] = server.name
    starts = Starts(chaos.fleet.starts, servers)
    kills = {start.tag: start.ended_at for start in chaos.fleet.starts if start.was_killed and start.ended_at}
    took_over: list[float] = []
    for document in documents:
        names = (document["_id"], document.get("idempotency_key") or "")
        seen = [one for name in names for one in chaos.journal.seen.get(name, ())]
        for stray in strays_of(document["_id"], seen, tenures_of(document, starts), chaos.fleet.spells):
            chaos.findings.note(stray.kind, stray.line)
        for _, killed_at, claimed_at in takeovers(document, starts, kills):
            took_over.append(claimed_at - killed_at - chaos.stores.down_s(killed_at, claimed_at))
    chaos.findings.figures |= spread("takeover_s", took_over)


def _audit_bills(chaos: "Chaos", documents: Iterable[Document]) -> None:
    for task_id, bills in chaos.vendor.bills.items():
        if bills > 1:
            chaos.findings.note("paid_twice", f"{task_id}: {bills} submits were taken")
    by_id = {document["_id"]: document for document in documents}
    errors = Counter((one.get("error") or {}).get("name") for one in by_id.values())
    chaos.findings.figures |= {"submit_uncertain": errors["SUBMIT_UNCERTAIN"], "given_up": errors["ATTEMPTS_USED_UP"]}
    for task_id in chaos.vendor.bills:
        if task_id not in by_id:
            chaos.findings.note("paid_twice", f"{task_id}: paid for, and no such task")


def _audit_what_is_left(chaos: "Chaos") -> None:
    findings, folder = chaos.findings, chaos.options.folder
    logs: dict[str, str] = {}
    for server in chaos.fleet.servers:
        findings.note("part_files", *(str(path) for path in part_files(server.folder)))
        logs |= server.log_texts
    findings.note("processes_left", *processes_of(folder, but=chaos.stores.pids()))
    findings.note("loop_words", *forbidden_lines(logs))
    findings.note("tracebacks", *tracebacks(logs))
    findings.note("error_lines", *(f"{count} x {shape}" for shape, count in errors_by_shape(logs).most_common()))


def _events(chaos: "Chaos") -> Iterator[str]:
    """Yield what was done to whom, in order: to read a violation by."""
    found = [(at, f"killed {victim}") for at, victim in chaos.storm.kill_moments]
    for start in chaos.fleet.starts:
        found += [(start.began_at, f"launched {start.tag}")]
        found += [(start.up_at, f"up {start.tag}")] if start.up_at else []
    for spell in chaos.fleet.spells:
        found += [(spell.began_at, f"{spell.kind} {spell.tag}"), (spell.ended_at, f"{spell.kind} {spell.tag}, over")]
    found += [(up_at, f"up {name}") for name, _, up_at in chaos.stores.downs]
    for at, what in sorted(found):
        yield f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {what}"


def _figures(chaos: "Chaos", documents: Sequence[Document]) -> dict[str, float]:
    starts = chaos.fleet.starts
    up_s = [start.up_at - start.began_at for start in starts if start.up_at is not None]
    ends = Counter(document["status"] for document in documents)
    lost = [document["lost"] for document in documents]
    spells = Counter(spell.kind for spell in chaos.fleet.spells)
    refused = sum(start.up_at is None and not start.was_killed for start in starts)
    for start in starts:
        if start.up_at is not None and not start.was_killed and start.exit_code not in {0, None}:
            chaos.findings.note("bad_exits", f"{start.tag} ended by itself with {start.exit_code}")
    return {
        **chaos.findings.figures,
        "kills": chaos.storm.kills.total(),
        **{f"kills_{kind}": chaos.storm.kills[kind] for kind in ("server", "mongod", "valkey")},
        **{kind: spells[kind] for kind in ("frozen", "held")},
        "late_ends": chaos.storm.late_ends,
        "tasks": len(documents),
        **{status: ends[status] for status in FINAL},
        "live_min": min(chaos.load.live_counts, default=math.nan),
        "live_p50": percentile(chaos.load.live_counts, 50),
        "requests": chaos.journal.total,
        "leases_lost": sum(lost),
        "thawed": chaos.findings.count("thawed"),
        "longest_idle_s": chaos.watch.longest_idle_s,
        **spread("start_s", up_s),
        "starts_refused": refused,
        "harness_lag_s_p99": percentile(chaos.lags_s, 99),
    }
