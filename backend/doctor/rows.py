"""One row of the checklist."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend.domain.text import Text

# "none": there is nothing to look at now, or it is missing and only some tasks need it.
State = Literal["ok", "bad", "none"]


@dataclass(frozen=True, slots=True)
class Row:
    """What was looked at, what was seen, and what to do about it."""

    id: str
    title: Text
    state: State
    seen: Text
    advice: Text | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row for programs."""
        return {
            "id": self.id,
            "state": self.state,
            "title": both_of(self.title),
            "seen": both_of(self.seen),
            "advice": None if self.advice is None else both_of(self.advice),
        }


def same(words: str) -> Text:
    """Return a text that reads the same in both languages."""
    return Text(words, words)


def both_of(text: Text) -> dict[str, str]:
    """Return both languages by their names."""
    return {"zh": text.zh, "en": text.en}


def is_well(rows: Sequence[Row]) -> bool:
    """Tell whether no row is bad."""
    return all(row.state != "bad" for row in rows)
