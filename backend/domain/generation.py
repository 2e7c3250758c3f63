"""What generation makes (artifacts), and the answers a provider gives."""

from dataclasses import dataclass
from datetime import datetime

from backend.domain.text import Text


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a task, kept by content (SHA-256). `role`: output | poster | media | screenshot."""

    artifact_id: str
    task_id: str
    name: str
    role: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    fps: float | None = None
    poster_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the submit; `job_id` is the handle to poll."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no.

    `error_class`: auth | account | quota | throttled | overloaded | content_blocked | permanent | ambiguous.
    """

    error_class: str
    error_name: str
    message: Text
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say whether the submit was taken: never silently sent again (P4)."""

    detail: str


SubmitAnswer = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class JobQueued:
    """The job waits at the provider."""

    position: int | None = None


@dataclass(frozen=True, slots=True)
class JobRunning:
    """The job is being worked on; `progress` in 0..1 when the provider says."""

    progress: float | None = None


@dataclass(frozen=True, slots=True)
class OutputLink:
    """A result to download: links expire, so at once."""

    url: str
    cover_url: str | None = None


@dataclass(frozen=True, slots=True)
class JobSucceeded:
    """The job is done; its outputs wait to be downloaded."""

    outputs: tuple[OutputLink, ...]


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job failed at the provider."""

    error_name: str
    message: Text


PollAnswer = JobQueued | JobRunning | JobSucceeded | JobFailed
