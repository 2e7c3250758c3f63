"""What can be set from outside, read once at the start: the environment over ROOT/.env over the defaults.

Variables carry the field's name in upper case (`max_running_tasks` is MAX_RUNNING_TASKS). Vendors' own
settings (COGVIDEOX_API_KEY) are not here: their files declare them and get `vendor_environ`.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from backend.core.crash_points import parse_plan

MASK = "****"
SHOWN_SECRET_CHARS = 4
MIN_PARTLY_SHOWN_CHARS = 12
MIN_REDACTED_CHARS = 8
LONGEST_LEASE_S = 3_600

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Source = Literal["environment", ".env", "default", "argument"]

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|COOKIE|CREDENTIALS?)(_\d+)?$", re.IGNORECASE)
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and what is allowed, never a secret."""


def _project_root() -> Path:
    above_backend = Path(__file__).resolve().parents[2]
    # Installed as a wheel there is no pyproject.toml above us, and site-packages is no place for data.
    return above_backend if (above_backend / "pyproject.toml").is_file() else Path.cwd()


ROOT = _project_root()


def _under_root(path: Path) -> Path:
    # An absolute path on the right of `/` wins, so only relative ones hang on ROOT.
    return Path(os.path.normpath(ROOT / path.expanduser()))


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _url_with_scheme(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError("is not such a URL")
        return value

    return AfterValidator(check)


def _matching(pattern: re.Pattern[str], problem: str) -> AfterValidator:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not pattern.fullmatch(value):
                raise ValueError(f"{value!r} {problem}")
        return values

    return AfterValidator(check)


def _check_token(token: SecretStr) -> SecretStr:
    value = token.get_secret_value()
    if len(value) < MIN_REDACTED_CHARS:
        raise ValueError("is too short")
    # It must travel in a header as it is.
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("holds a character that cannot be sent in a header")
    return token


def _check_crash_point(text: str) -> str:
    parse_plan(text)
    return text


def _read_networks(value: object) -> object:
    parts = _split_commas(value)
    if not isinstance(parts, tuple):
        return value
    # A set host bit ("10.0.0.1/8") is a slip in a list that opens holes: refused, not rounded.
    return tuple(ipaddress.ip_network(part) for part in parts)


def _setting(default: Any, meaning: str, *, unit: str = "", allowed: str, **limits: Any) -> Any:
    return Field(
        default=default,
        description=meaning,
        validate_default=True,
        json_schema_extra={"unit": unit, "allowed": allowed},
        **limits,
    )


class Settings(BaseSettings):
    """Every setting of the process. Build it with `load_settings`; given arguments it reads nothing else."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = _setting(
        "127.0.0.1",
        "Address the server listens on; anything but loopback needs AUTH_TOKEN.",
        allowed="an IP address or a host name",
        min_length=1,
    )
    port: int = _setting(8888, "Port the server listens on; 0 takes a free one.", allowed="0 to 65535", ge=0, le=65_535)
    data_dir: Annotated[Path, AfterValidator(_under_root)] = _setting(
        Path("data"),
        "Folder of the embedded stores, artifacts and locks; a relative one hangs on the project root.",
        allowed="a folder",
    )
    mongodb_url: Annotated[str, _url_with_scheme("mongodb", "mongodb+srv")] | None = _setting(
        None,
        "MongoDB to use instead of the embedded one.",
        allowed="mongodb://... or mongodb+srv://...",
        repr=False,
    )
    mongodb_database: str = _setting(
        "mediacrawer_pro",
        "Name of the database.",
        allowed="1 to 63 letters, digits, _ or -",
        pattern=r"^[A-Za-z0-9_-]{1,63}$",
    )
    redis_url: Annotated[str, _url_with_scheme("redis", "rediss", "unix")] | None = _setting(
        None,
        "Redis or Valkey to use instead of the embedded one.",
        allowed="redis://..., rediss://... or unix://...",
        repr=False,
    )
    stores: Literal["auto", "memory"] = _setting(
        "auto",
        "auto: the URLs, else embedded stores on disk; memory: everything is lost on exit.",
        allowed="auto, memory",
    )
    auth_token: Annotated[SecretStr, AfterValidator(_check_token)] | None = _setting(
        None, "Token every request must carry.", allowed="8 or more characters, ASCII, no spaces"
    )
    allowed_hosts: Annotated[
        tuple[str, ...], BeforeValidator(_split_commas), _matching(_HOST_NAME, "is not a host name")
    ] = _setting((), "Host names the server answers to besides loopback.", allowed="host names, comma between")
    allowed_origins: Annotated[
        tuple[str, ...], BeforeValidator(_split_commas), _matching(_ORIGIN, "is not an origin")
    ] = _setting(
        (),
        "Origins whose pages may call the API besides the server's own.",
        allowed="https://name[:port], comma between",
    )
    allow_private_networks: Annotated[tuple[Network, ...], BeforeValidator(_read_networks)] = _setting(
        (),
        "Private networks that tasks may reach; all others are refused.",
        allowed="networks such as 10.0.0.0/8 or fd00::/8, comma between",
    )
    execution_engine: Literal["loop"] = _setting(
        "loop",
        "What starts a task: the server's own event loop.",
        allowed="loop (taskiq is not in this version)",
    )
    execution_mode: Literal["auto", "held", "thread"] = _setting(
        "auto",
        "auto: a created task starts; held: it waits for a start; thread: its work runs in a pool thread.",
        allowed="auto, held, thread",
    )
    max_running_tasks: int = _setting(
        200,
        "Tasks that run at once in this process; each server has its own, platforms' caps hold over all servers.",
        unit="tasks",
        allowed="1 to 10000",
        ge=1,
        le=10_000,
    )
    max_running_crawls: int = _setting(
        20, "Crawl tasks among them, in this process.", unit="tasks", allowed="1 to 10000", ge=1, le=10_000
    )
    max_attempts: int = _setting(
        3,
        "Failed attempts after which a task is given up.",
        unit="attempts",
        allowed="1 to 100",
        ge=1,
        le=100,
    )
    lease_s: float = _setting(
        30.0,
        "How long a task stays ours after the last heartbeat.",
        unit="s",
        allowed="5 to 3600",
        ge=5,
        le=LONGEST_LEASE_S,
        allow_inf_nan=False,
    )
    crawl_deadline_s: float = _setting(
        86_400.0,
        "How long a crawl task may run.",
        unit="s",
        allowed="1 to 31536000",
        ge=1,
        le=31_536_000,
        allow_inf_nan=False,
    )
    generate_deadline_s: float = _setting(
        3_600.0,
        "How long a generation task may run.",
        unit="s",
        allowed="1 to 31536000",
        ge=1,
        le=31_536_000,
        allow_inf_nan=False,
    )
    shutdown_grace_s: float = _setting(
        10.0,
        "How long a stop may take before the process leaves anyway.",
        unit="s",
        allowed="0 to 3600",
        ge=0,
        le=3_600,
        allow_inf_nan=False,
    )
    browser_mode: Literal["auto", "attach", "system", "headless", "off"] = _setting(
        "auto",
        "Which browser reads platforms that need one; auto: the attached one when BROWSER_CDP_URL is set, else a window"
        " where there is a screen, else headless.",
        allowed="auto, attach, system, headless, off",
    )
    browser_cdp_url: Annotated[str, _url_with_scheme("http", "https", "ws", "wss")] | None = _setting(
        None,
        "Where your own Chrome lets itself be attached to (chrome://inspect/#remote-debugging); attach alone takes"
        " http://127.0.0.1:9222.",
        allowed="http://... or ws://...",
    )
    browser_path: Annotated[Path, AfterValidator(_under_root)] | None = _setting(
        None, "Chrome or Chromium to start instead of the one that is found.", allowed="a program"
    )
    browser_max_tabs: int = _setting(
        10, "Tabs open at once; a task beyond waits for its turn.", unit="tabs", allowed="1 to 100", ge=1, le=100
    )
    browser_idle_s: float = _setting(
        300.0,
        "How long a browser without tabs is kept.",
        unit="s",
        allowed="1 to 86400",
        ge=1,
        le=86_400,
        allow_inf_nan=False,
    )
    browser_sandbox: Literal["auto", "on", "off"] = _setting(
        "auto",
        "Chromium's own sandbox; auto: on, but for root, to whom Chromium refuses it.",
        allowed="auto, on, off",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] = _setting(
        "INFO",
        "Lowest level that is logged.",
        allowed="TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR, CRITICAL",
    )
    log_file: Annotated[Path, AfterValidator(_under_root)] | None = _setting(
        None, "File that gets the log too; a relative one hangs on the project root.", allowed="a file"
    )
    language: Literal["zh", "en", "both"] = _setting(
        "both", "Language of messages when a request names none.", allowed="zh, en, both"
    )

    app_env: Literal["production", "test"] = _setting(
        "production", "test: for the product's own tests; it only lets CRASH_POINT be set.", allowed="production, test"
    )
    crash_point: Annotated[str, AfterValidator(_check_crash_point)] | None = _setting(
        None,
        "For the product's own tests, refused unless APP_ENV=test: where this process dies, freezes or stalls.",
        allowed="name[:nth][:kill|stop|stall=SECONDS], the names in backend/core/crash_points.py",
    )

    _sources: Mapping[str, Source] = PrivateAttr(default_factory=dict)
    _environ: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments only: `load_settings` gathers the environment, so that tests can give their own."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.auth_token is None and not is_loopback(self.host):
            raise ValueError(
                f"HOST={self.host!r} is reachable from other machines and AUTH_TOKEN is not set; "
                "set AUTH_TOKEN, or HOST=127.0.0.1"
            )
        if self.crash_point is not None and self.app_env != "test":
            raise ValueError("CRASH_POINT makes this process die on purpose and is for tests only; unset it")
        if self.stores == "memory" and (self.mongodb_url or self.redis_url):
            raise ValueError("STORES=memory contradicts MONGODB_URL or REDIS_URL; unset one of them")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One line of `mediacrawer config`; secrets are masked."""

    name: str
    value: str
    default: str
    unit: str
    meaning: str
    source: Source


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`; a name other than localhost is not."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Return the settings from `environ` (default: the process's) over `env_file` (default: ROOT/.env).

    An empty value counts as not set. Unknown variables are ignored. Raises SettingsError, which names every
    variable that cannot be used.
    """
    environ = dict(os.environ if environ is None else environ)
    from_file = _read_env_file(ROOT / ".env" if env_file is None else env_file)
    values: dict[str, str] = {}
    sources: dict[str, Source] = {}
    for name in Settings.model_fields:
        found = _find_value(name.upper(), environ, from_file)
        if found is not None:
            values[name], sources[name] = found
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, values, sources)) from None
    settings._sources = sources
    settings._environ = from_file | environ
    return settings


def vendor_environ(settings: Settings) -> Mapping[str, str]:
    """Return the .env file with the environment over it, for the registries of platforms and providers."""
    return dict(settings._environ)


def secret_values(settings: Settings) -> list[str]:
    """Return what must never be printed: our token, the URLs' passwords, vendors' keys by their names."""
    found = [settings.auth_token.get_secret_value()] if settings.auth_token else []
    for url in (settings.mongodb_url, settings.redis_url):
        password = _password_of(url) if url else ""
        found += [password, unquote(password)]
    found += [value for name, value in settings._environ.items() if _SECRET_NAME.search(name)]
    # Shorter ones ("1", "true") would blot out innocent text everywhere.
    return sorted({value for value in found if len(value) >= MIN_REDACTED_CHARS})


def describe(settings: Settings) -> list[SettingRow]:
    """Return one row for each setting, in the order of the model, secrets masked as `mask` does."""
    return [
        SettingRow(
            name=name.upper(),
            value=_shown(getattr(settings, name)),
            default=_shown(_under_root(field.default) if isinstance(field.default, Path) else field.default),
            unit=_extra(name, "unit"),
            meaning=field.description or "",
            source=_source_of(settings, name),
        )
        for name, field in Settings.model_fields.items()
    ]


def mask(secret: str) -> str:
    """Return stars and the last four characters; of a short secret stars alone, four would tell too much."""
    return MASK + (secret[-SHOWN_SECRET_CHARS:] if len(secret) >= MIN_PARTLY_SHOWN_CHARS else "")


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        # utf-8-sig: Notepad writes a BOM. No interpolation: a password may hold ${.
        values = dotenv_values(path, encoding="utf-8-sig", interpolate=False)
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    return {name: value for name, value in values.items() if value is not None}


def _find_value(name: str, environ: Mapping[str, str], from_file: Mapping[str, str]) -> tuple[str, Source] | None:
    value = environ.get(name, "").strip()
    # gettext's own LANGUAGE ("en_US:en") is set on many desktops and says nothing about this server.
    if value and not (name == "LANGUAGE" and value not in ("zh", "en", "both")):
        return value, "environment"
    value = from_file.get(name, "").strip()
    return (value, ".env") if value else None


def _explain(error: ValidationError, values: Mapping[str, str], sources: Mapping[str, Source]) -> str:
    return "\n".join(dict.fromkeys(_explain_one(one, values, sources) for one in error.errors()))


def _explain_one(one: ErrorDetails, values: Mapping[str, str], sources: Mapping[str, Source]) -> str:
    problem = one["msg"].removeprefix("Value error, ")
    if not one["loc"]:
        return problem
    name = str(one["loc"][0])
    shown = "" if _is_secret(name) else f"={values[name]!r}"
    origin = f" (from {sources[name]})" if sources[name] == ".env" else ""
    return f"{name.upper()}{shown}{origin}: {problem}; allowed: {_extra(name, 'allowed')}"


def _is_secret(name: str) -> bool:
    return name in {"auth_token", "mongodb_url", "redis_url"}


def _extra(name: str, key: str) -> str:
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra[key]) if isinstance(extra, dict) else ""


def _source_of(settings: Settings, name: str) -> Source:
    if name in settings._sources:
        return settings._sources[name]
    return "argument" if name in settings.model_fields_set else "default"


def _password_of(url: str) -> str:
    # Not urlsplit: it raises on some broken URLs, and a broken URL's password is a secret too.
    userinfo = url.partition("://")[2].rpartition("@")[0]
    return userinfo.partition(":")[2]


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return mask(value.get_secret_value())
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(str(item) for item in value)
        case str() if "://" in value and (password := _password_of(value)):
            return value.replace(f":{password}@", f":{mask(password)}@", 1)
        case _:
            return str(value)
