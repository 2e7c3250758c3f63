"""The kinds of values that settings have: how each is read from text, and what is refused."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Any

from pydantic import AfterValidator, Field, SecretStr

from backend.core.crash_points import parse_plan
from backend.domain.retention import assigned, read_rule

MIN_REDACTED_CHARS = 8

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_NAME = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and what is allowed, never a secret."""


def _project_root() -> Path:
    above_backend = Path(__file__).resolve().parents[2]
    # Installed as a wheel there is no pyproject.toml above us, and site-packages is no place for data.
    return above_backend if (above_backend / "pyproject.toml").is_file() else Path.cwd()


ROOT = _project_root()


def under_root(path: Path) -> Path:
    """Hang a relative path on the project root."""
    # An absolute path on the right of `/` wins, so only relative ones hang on ROOT.
    return Path(os.path.normpath(ROOT / path.expanduser()))


def split_commas(value: object) -> object:
    """Part a text at its commas; anything else is handed on."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def url_with_scheme(*schemes: str) -> AfterValidator:
    """Return a check that a URL has one of these schemes."""

    def check(value: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError("is not such a URL")
        return value

    return AfterValidator(check)


def matching(pattern: re.Pattern[str], problem: str) -> AfterValidator:
    """Return a check that every value of a list matches; `problem` ends the refusal."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not pattern.fullmatch(value):
                raise ValueError(f"{value!r} {problem}")
        return values

    return AfterValidator(check)


def matching_one(pattern: re.Pattern[str], problem: str) -> AfterValidator:
    """Return a check that a value matches, a slash at its end aside."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value.rstrip("/")):
            raise ValueError(problem)
        return value.rstrip("/")

    return AfterValidator(check)


def check_token(token: SecretStr) -> SecretStr:
    """Refuse a token that is short or cannot travel in a header."""
    value = token.get_secret_value()
    if len(value) < MIN_REDACTED_CHARS:
        raise ValueError("is too short")
    # It must travel in a header as it is.
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("holds a character that cannot be sent in a header")
    return token


def check_crash_point(text: str) -> str:
    """Refuse a plan that cannot be read."""
    parse_plan(text)
    return text


def read_networks(value: object) -> object:
    """Read networks from a text with commas."""
    parts = split_commas(value)
    if not isinstance(parts, tuple):
        return value
    # A set host bit ("10.0.0.1/8") is a slip in a list that opens holes: refused, not rounded.
    return tuple(ipaddress.ip_network(part) for part in parts)


def read_rules(value: object) -> object:
    """Read retention rules from a text with commas."""
    parts = split_commas(value)
    if not isinstance(parts, tuple):
        return value
    rules = tuple(read_rule(part) if isinstance(part, str) else part for part in parts)
    assigned(rules)
    return rules


def setting(default: Any, meaning: str, *, unit: str = "", allowed: str, **limits: Any) -> Any:
    """Return the field of a setting: its default, what it means, its unit, and what is allowed in words."""
    return Field(
        default=default,
        description=meaning,
        validate_default=True,
        json_schema_extra={"unit": unit, "allowed": allowed},
        **limits,
    )
