"""Words a person reads, in the two languages of the product."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Chinese and in English; the API picks by Accept-Language."""

    zh: str
    en: str

    def both(self) -> str:
        """Return both languages in one line, for readers whose language is unknown."""
        return self.zh if self.zh == self.en else f"{self.zh} / {self.en}"
