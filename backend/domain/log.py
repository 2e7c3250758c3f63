"""A line of a task's own log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `seq` starts at 1 and has no gaps for the reader."""

    seq: int
    at: datetime
    level: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
