"""Which language an answer speaks: `Accept-Language` decides, the LANGUAGE setting when it names neither of ours."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from backend.domain.text import Text

Language = Literal["zh", "en", "both"]

_MAX_HEADER_CHARS = 200


@dataclass(frozen=True, slots=True)
class Speech:
    """The languages of one answer.

    Messages of the answer itself may come in both languages; texts kept on a record are shown in one.
    """

    envelope: Language
    record: Literal["zh", "en"]

    def say(self, text: Text) -> str:
        """Return a message of the answer itself."""
        return text.both() if self.envelope == "both" else self._one(text, self.envelope)

    def advise(self, text: Text | None) -> str | None:
        """Return a message of the answer itself, or None."""
        return None if text is None else self.say(text)

    def tell(self, text: Text | None) -> str | None:
        """Return a text of a record, or None."""
        return None if text is None else self._one(text, self.record)

    @staticmethod
    def _one(text: Text, language: str) -> str:
        return text.en if language == "en" else text.zh


@lru_cache(maxsize=512)
def speech_of(accept_language: str, default: Language) -> Speech:
    """Return the languages for this `Accept-Language` header ("" when none was sent)."""
    chosen = _preferred(accept_language[:_MAX_HEADER_CHARS]) or default
    return Speech(envelope=chosen, record="en" if chosen == "en" else "zh")


def _preferred(header: str) -> Literal["zh", "en"] | None:
    best: Literal["zh", "en"] | None = None
    best_weight = 0.0
    for part in header.split(","):
        tag, _, parameter = part.partition(";")
        language = _ours(tag.strip().lower().partition("-")[0])
        weight = _weight(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _ours(primary: str) -> Literal["zh", "en"] | None:
    if primary == "zh":
        return "zh"
    return "en" if primary == "en" else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
