"""What the person at the terminal reads."""


class SetupError(Exception):
    """The project cannot be set up or started; says in both languages what the person can do."""

    def __init__(self, zh: str, en: str) -> None:
        """Take the sentence in Chinese and in English."""
        super().__init__(en)
        self.zh = zh
        self.en = en


def say(zh: str, en: str, *, mark: str = "▸") -> None:
    """Print one line in both languages, at once: the next step may take minutes."""
    print(f"{mark} {zh} · {en}", flush=True)
