"""The wire format that all of Zhipu BigModel's generation endpoints share: requests, and errors by business code.

Source: https://docs.bigmodel.cn (API reference, error codes) and the vendor's SDK zai-sdk 0.2.3, checked 2026-11-21.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from backend.core.http import HttpGate, RepeatedGet
from backend.domain.generation import (
    Accepted,
    JobFailed,
    JobRunning,
    JobSucceeded,
    OutputLink,
    PollAnswer,
    Refused,
    SubmitAnswer,
    Unknown,
)
from backend.domain.text import Text
from backend.generate.remote import CancelAnswer, CannotTell, Recovery, StatusUnclear

MAX_ANSWER_BYTES = 1 << 20
MAX_MESSAGE_CHARS = 300
MAX_WORD_CHARS = 40
POLL_LIMIT_S = 30.0

_CLASS_OF_CODES: Mapping[str, tuple[str, ...]] = {
    "auth": ("1000", "1001", "1002", "1003", "1004"),
    "account": ("1100", "1110", "1111", "1112", "1120", "1121", "1309", "1311", "1313"),
    "quota": ("1113", "1304", "1308", "1310"),
    "permanent": ("1200", "1210", "1211", "1212", "1213", "1214", "1215", "1220", "1221", "1222", "1261"),
    "content_blocked": ("1300", "1301"),
    "throttled": ("1302", "1303"),
    "overloaded": ("1305", "1312"),
    # 1231: a request with this request_id exists already. The only sign of idempotency there is.
    "ambiguous": ("1231",),
    # The call broke somewhere on their side: nobody can say whether it was taken.
    "unknown": ("1230", "1234"),
}
_CLASSES = {code: name for name, codes in _CLASS_OF_CODES.items() for code in codes}
_CLASS_OF_STATUS = {401: "auth", 403: "account", 408: "unknown", 429: "throttled", 434: "account"}
_SERVER_ERROR = 500
_NAMES = {
    "auth": "AUTH_EXPIRED",
    "account": "UPSTREAM_FAILED",
    "quota": "QUOTA",
    "permanent": "UPSTREAM_FAILED",
    "content_blocked": "CONTENT_BLOCKED",
    "throttled": "THROTTLED",
    "overloaded": "THROTTLED",
    "ambiguous": "SUBMIT_UNCERTAIN",
}


class ErrorBody(BaseModel):
    """`{"code": "1302", "message": "..."}`; some answers give the code as a number, and null where there is none."""

    code: str | int | None = None
    message: str | None = None


class _Envelope(BaseModel):
    error: ErrorBody | None = None


A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the vendor's; `read` makes a model of it."""

    status: int
    content: bytes
    retry_after_s: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the HTTP status says that all is well; the body may still name an error."""
        return self.status < httpx.codes.MULTIPLE_CHOICES

    def read(self, model: type[A]) -> A | None:
        """Return the body as `model`, or None when it is something else."""
        try:
            return model.model_validate_json(self.content)
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class ZhipuAccount:
    """Where to send, and as whom."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"ZhipuAccount({self.base_url!r})"


class ZhipuClient:
    """Sends the requests of one account. Never retries; httpx's errors and RuntimeErrors pass through."""

    def __init__(self, gate: HttpGate, account: ZhipuAccount) -> None:
        self._gate = gate
        self._account = account
        # Ten thousand pollers: what is the same in every poll of a job is done once.
        self._repeated: dict[str, RepeatedGet] = {}

    async def post(self, path: str, body: Mapping[str, Any], *, limit_s: float) -> Answer:
        """Send one request that may cost money, on a connection of its own."""
        answer = await self._gate.trusted(self._account.base_url).post(
            self._account.base_url + path,
            json=dict(body),
            headers=self._headers(),
            # `fresh`: a stale connection would leave it open whether the request was read.
            extensions={"total_s": limit_s, "max_body_bytes": MAX_ANSWER_BYTES, "fresh": True},
        )
        wait_s = _retry_after_s(answer.headers.get("retry-after", ""), answer.headers.get("date", ""))
        return Answer(answer.status_code, answer.content, wait_s)

    async def get(self, path: str) -> Answer:
        """Ask for something; safe to repeat."""
        if path not in self._repeated:
            self._repeated[path] = self._gate.repeated(
                self._account.base_url + path,
                origin=self._account.base_url,
                headers=self._headers(),
                total_s=POLL_LIMIT_S,
                max_body_bytes=MAX_ANSWER_BYTES,
            )
        answer = await self._repeated[path].send()
        wait = answer.header("retry-after")
        wait_s = _retry_after_s(wait, answer.header("date")) if wait else None
        return Answer(answer.status, answer.content, wait_s)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._account.api_key}", "Accept": "application/json"}

    def without_key(self, text: str) -> str:
        """Return a vendor's words, cut to a bearable length, without the key or its secret half."""
        key = self._account.api_key
        for secret in (key, key.partition(".")[2]):
            text = text.replace(secret, "***") if secret else text
        return text[:MAX_MESSAGE_CHARS]

    def problem_of(self, answer: Answer) -> Refused | Unknown | None:
        """Return what an answer refuses, by its business code; None for one that is fine.

        Unknown: nobody can say what became of the request.
        """
        envelope = answer.read(_Envelope)
        error = envelope.error if envelope else None
        if error is None and answer.is_ok:
            return None
        code = str(error.code) if error and error.code is not None else ""
        error_class = _CLASSES.get(code) or _class_by_status(answer.status)
        if error_class == "unknown":
            return Unknown(code or f"HTTP_{answer.status}")
        said = self.without_key(error.message or "" if error else "") or f"HTTP {answer.status}"
        words = f"{said} [{code}]" if code else said
        return Refused(error_class, _NAMES[error_class], Text(words, words), answer.retry_after_s)


class _Submitted(BaseModel):
    id: str


class _Link(BaseModel):
    url: str
    cover_image_url: str | None = None


class _Polled(BaseModel):
    """What `GET /async-result/{id}` answers; absent and null mean the same."""

    task_status: str
    video_result: list[_Link] | None = None
    image_result: list[_Link] | None = None
    error: ErrorBody | None = None
    message: str | None = None


class ZhipuJobs:
    """The asynchronous jobs of one endpoint (`path` takes the submit), as a RemoteApi."""

    def __init__(self, client: ZhipuClient, path: str) -> None:
        self._client = client
        self._path = path

    async def submit(self, request: Mapping[str, Any], key: str, limit_s: float) -> SubmitAnswer:
        """Send one submit; our key is the vendor's `request_id`, of which a second one is refused (1231)."""
        answer = await self._client.post(self._path, {**request, "request_id": key}, limit_s=limit_s)
        problem = self._client.problem_of(answer)
        if problem is not None:
            return problem
        taken = answer.read(_Submitted)
        return Accepted(taken.id) if taken and taken.id else Unknown("BROKEN_ANSWER")

    async def poll(self, job_id: str) -> PollAnswer | Refused | StatusUnclear | Unknown:
        """Ask how the job is. There is neither progress nor a queue to be seen."""
        answer = await self._client.get(f"/async-result/{quote(job_id, safe='')}")
        polled = answer.read(_Polled)
        if polled is None or not answer.is_ok:
            return self._problem(answer)
        match polled.task_status.upper():
            case "PROCESSING":
                return JobRunning()
            case "SUCCESS":
                links = polled.video_result or polled.image_result or []
                return JobSucceeded(tuple(OutputLink(one.url, one.cover_image_url) for one in links))
            case "FAIL":
                return self._failed(polled)
        return StatusUnclear(polled.task_status[:MAX_WORD_CHARS])

    def _problem(self, answer: Answer) -> JobFailed | Refused | Unknown:
        problem = self._client.problem_of(answer) or Unknown("BROKEN_ANSWER")
        if isinstance(problem, Refused) and problem.error_class == "content_blocked":
            # What was made is withheld: the job has ended.
            return JobFailed(problem.error_name, problem.message)
        return problem

    async def cancel(self, job_id: str) -> CancelAnswer:
        """There is no cancel: the job goes on, and may be billed."""
        del job_id
        return "unsupported"

    async def recover(self, key: str) -> Recovery:
        """There is no look-up by request_id; a second submit is refused instead."""
        del key
        return CannotTell()

    def _failed(self, polled: _Polled) -> JobFailed:
        said = (polled.error.message if polled.error else None) or polled.message
        # The documented reply names no reason.
        text = (
            Text(said, said) if said else Text("生成失败，平台没有给出原因", "the generation failed, without a reason")
        )
        is_blocked = polled.error is not None and _CLASSES.get(str(polled.error.code)) == "content_blocked"
        name = "CONTENT_BLOCKED" if is_blocked else "UPSTREAM_FAILED"
        return JobFailed(name, Text(self._client.without_key(text.zh), self._client.without_key(text.en)))


def _class_by_status(status: int) -> str:
    if status >= _SERVER_ERROR:
        return "unknown"
    # A redirect or a plain 4xx: the request was looked at and turned away.
    return _CLASS_OF_STATUS.get(status, "permanent")


def _retry_after_s(value: str, date: str) -> float | None:
    """Return Retry-After in seconds; a date counts from the answer's own Date, so that our clock plays no part."""
    value = value.strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
