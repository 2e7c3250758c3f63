"""How each crash point is reached, and how a task that meets it must end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["crawl", "video", "film"]
# What is done to bring the server to the point, besides creating the task.
Push = Literal["", "cancel", "drain", "cancel_orphan"]
Fault = Literal["kill", "stop", "stall", "restart", "alone"]

FAULTS: Mapping[Fault, str] = {
    "kill": "SIGKILL; another server on the same stores takes over",
    "stop": "SIGSTOP; another server takes over; then SIGCONT",
    "stall": "the loop blocked for longer than a lease; another server takes over; then it goes on",
    "restart": "SIGKILL with embedded stores; the same machine starts again",
    "alone": "the loop blocked for longer than a lease; there is no other server",
}
_CANCELLED = "cancelled"
_SUCCEEDED = "succeeded"
# CogVideoX tells nobody a lost job id, and refuses a second submit: what was paid for is reported, not sent again.
_UNCERTAIN = "failed SUBMIT_UNCERTAIN"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One crash point. `nth`: at which arrival; `push`: what else is done; `ends`: the status (and error) at the end.

    With `cancel_orphan` a first server has run the task and was killed, and the cancel comes while nobody runs it.
    """

    point: str
    kind: Kind
    nth: int = 1
    push: Push = ""
    ends: str = _SUCCEEDED

    @property
    def is_after_end(self) -> bool:
        """Whether the end is stored when the point is reached: nobody takes the task over, only its follow-ups."""
        return self.point in {"after_finish", "before_event", "after_event", "before_books"}

    def allows(self, fault: Fault) -> bool:
        """Whether the fault makes sense here: an orphan needs a second server, a drained one does not go on alone."""
        if self.push == "cancel_orphan":
            return fault in {"kill", "stop", "stall"}
        return not (self.push == "drain" and fault == "alone")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("after_claim", "crawl"),
    Scenario("after_log_start", "video"),
    Scenario("after_intent", "video"),
    Scenario("after_submit_answer", "video", ends=_UNCERTAIN),
    Scenario("after_job_id", "video"),
    Scenario("after_poll", "video", nth=2),
    Scenario("mid_download", "video", nth=3),
    # The first one is the film's poster.
    Scenario("after_rename", "video", nth=2),
    Scenario("mid_render", "film", nth=2),
    Scenario("mid_store", "crawl", nth=5),
    Scenario("after_checkpoint", "crawl"),
    Scenario("before_give_back", "crawl", push="drain"),
    Scenario("before_finish", "video"),
    Scenario("after_finish", "video"),
    Scenario("before_event", "video"),
    Scenario("after_event", "video"),
    Scenario("before_cancel_upstream", "video", push="cancel", ends=_CANCELLED),
    Scenario("after_abandon", "video", push="cancel_orphan", ends=_CANCELLED),
    Scenario("before_books", "crawl", push="cancel_orphan", ends=_CANCELLED),
)


def task_body(kind: Kind, site_url: str) -> dict[str, Any]:
    """Return the body that creates the scenario's task."""
    if kind == "crawl":
        params: dict[str, Any] = {"start_urls": [site_url], "max_pages": 100, "max_depth": 100, "obey_robots": False}
        return {"platform": "web", "type": "site", "params": params}
    if kind == "video":
        return {"platform": "cogvideox", "params": {"prompt": "清晨的海边，一只小狗沿着沙滩奔跑"}}
    scenes = [{"text": f"第 {number} 幕"} for number in range(3)]
    return {"platform": "storyboard", "params": {"scenes": scenes, "seconds_per_scene": 3, "size": "640x360"}}
