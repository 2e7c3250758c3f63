"""How a command says that it cannot, and the settings, which may be why."""

import sys
from typing import NoReturn

import typer

from backend.core.settings import Settings, SettingsError, load_settings

CANNOT = 2


def refuse(why: str, *, code: int = CANNOT) -> NoReturn:
    """Write `why` to stderr as one line and leave with `code`."""
    sys.stderr.write(f"{why}\n")
    raise typer.Exit(code)


def read_settings() -> Settings:
    """Return the settings, or leave naming the variables that cannot be used."""
    try:
        return load_settings()
    except SettingsError as error:
        refuse(str(error))
