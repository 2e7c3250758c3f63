"""What a vendor's adapter says about itself and its jobs; the rest of submit, poll, download is the same for all.

A new vendor is one file in providers/: its parameter models, a `RemoteApi` that speaks its wire format, and
`RemoteTraits`; `RemoteGeneration` (poller.py) does the work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from backend.domain.generation import PollAnswer, Refused, SubmitAnswer, Unknown

CancelAnswer = Literal["confirmed", "refused", "unsupported", "unknown"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """The provider has a job under our key."""

    job_id: str


@dataclass(frozen=True, slots=True)
class NoJob:
    """The provider has no job under our key, as of now."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider cannot be asked for a job by our key."""


Recovery = Recovered | NoJob | CannotTell


@dataclass(frozen=True, slots=True)
class StatusUnclear:
    """A status word nobody here knows: the job goes on, as far as we can say."""

    word: str


@dataclass(frozen=True, slots=True)
class RemoteTraits:
    """How to deal with one vendor.

    `title` names it in messages. `poll_s` is the first pause between polls, `poll_cap_s` the longest.
    `refuses_duplicates`: a second submit with the same key is refused, so it may be sent to find out about the first.
    `media`: what its results are, the part of the media type before the slash (video | image).
    """

    title: str
    poll_s: float
    poll_cap_s: float
    refuses_duplicates: bool
    media: str = "video"


class RemoteApi(Protocol):
    """A vendor's wire format. Used through `context.reach`, so everything here is async.

    Every method lets httpx's errors and RuntimeErrors through; none retries anything.
    """

    async def submit(self, request: Mapping[str, Any], key: str, limit_s: float) -> SubmitAnswer:
        """Send one paid submit under our key, with `limit_s` seconds for everything.

        Refused only when the provider provably did not take it, or (`ambiguous`) says that it has one of this key.
        """

    async def poll(self, job_id: str) -> PollAnswer | Refused | StatusUnclear | Unknown:
        """Ask how the job is; Unknown for an answer that cannot be read."""

    async def cancel(self, job_id: str) -> CancelAnswer:
        """Ask for the end of the job."""

    async def recover(self, key: str) -> Recovery:
        """Ask for the job that was submitted under our key."""
