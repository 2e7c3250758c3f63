"""The readers of the stream, and the short log of frames that each of them is a place in."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from tornado.iostream import IOStream

from backend.api.language import Speech
from backend.api.stream.frames import event_frame
from backend.domain.user import LOCAL, Caller
from backend.services.event_hub import Happening

MAX_FRAMES = 2_000
MAX_LOG_BYTES = 32 * 1024 * 1024
MAX_WRITE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry of the log: an event, or words that are the same in every language (`topics` None: for all)."""

    topics: frozenset[str] | None
    happening: Happening | None = None
    words: bytes = b""

    def is_for(self, reader: "Reader") -> bool:
        """Whether a reader follows any of its topics, and may see it."""
        if self.topics is not None and self.topics.isdisjoint(reader.topics):
            return False
        return self.happening is None or reader.sees(self.happening)

    @property
    def size_bytes(self) -> int:
        """About how long it is."""
        return len(self.words) if self.happening is None else self.happening.size_bytes

    def frame(self, speech: Speech) -> bytes:
        """Return it in the language of a reader."""
        return self.words if self.happening is None else event_frame(self.happening, speech)


@dataclass(eq=False, slots=True)
class Reader:
    """An open stream: what it follows, and how far it has come."""

    stream: IOStream
    topics: frozenset[str]
    speech: Speech
    is_chunked: bool
    caller: Caller = LOCAL
    # With TASK_VISIBILITY=own a member follows what they made.
    only_by: str | None = None
    position: int = 0
    beat_at: float = 0.0
    written_at: float = 0.0
    writing: asyncio.Future[None] | None = None
    # The pump leaves it alone while what it missed is written.
    is_replaying: bool = True

    @property
    def is_busy(self) -> bool:
        """Whether it has not taken yet what it was given last."""
        return self.is_replaying or (self.writing is not None and not self.writing.done())

    @property
    def wants(self) -> "Wants":
        """What readers with the same bytes have in common."""
        return (self.topics, self.speech.record, self.is_chunked, self.only_by)

    def sees(self, happening: Happening) -> bool:
        """Whether an event is for its eyes; topics of one task were looked at when it came."""
        return self.only_by is None or happening.maker in {None, self.only_by}

    def framed(self, words: bytes) -> bytes:
        """Return bytes as this connection carries them."""
        return b"%x\r\n%b\r\n" % (len(words), words) if self.is_chunked else words


# Bytes for all readers of one kind at one place, and their place after these.
Wants = tuple[frozenset[str], str, bool, str | None]
Made = dict[tuple[Wants, int], tuple[bytes, int]]


@dataclass(slots=True)
class FrameLog:
    """The latest frames; `start` counts what has left it."""

    entries: deque[Shown] = field(default_factory=deque)
    start: int = 0
    size_bytes: int = 0

    @property
    def end(self) -> int:
        """The place after the latest."""
        return self.start + len(self.entries)

    def add(self, entry: Shown) -> None:
        """Add a frame; the oldest go."""
        self.entries.append(entry)
        self.size_bytes += entry.size_bytes
        while len(self.entries) > MAX_FRAMES or self.size_bytes > MAX_LOG_BYTES:
            self.size_bytes -= self.entries.popleft().size_bytes
            self.start += 1

    def read(self, reader: Reader) -> tuple[bytes, int]:
        """Return what comes next for a reader, at most some 256 KB, and its place after that."""
        words: list[bytes] = []
        size, place = 0, reader.position
        while place < self.end and size < MAX_WRITE_BYTES:
            entry = self.entries[place - self.start]
            place += 1
            if entry.is_for(reader):
                words.append(entry.frame(reader.speech))
                size += len(words[-1])
        return (reader.framed(b"".join(words)) if words else b""), place
