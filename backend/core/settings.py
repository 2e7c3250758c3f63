"""What can be set from outside, read once at the start: the environment over ROOT/.env over the defaults.

Variables carry the field's name in upper case (`max_running_tasks` is MAX_RUNNING_TASKS). Vendors' own
settings (COGVIDEOX_API_KEY) are not here: their files declare them and get `vendor_environ`.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from backend.core.setting_types import (
    HOST_NAME,
    MIN_REDACTED_CHARS,
    ORIGIN,
    ROOT,
    Network,
    SettingsError,
    check_crash_point,
    check_token,
    matching,
    matching_one,
    read_networks,
    read_rules,
    setting,
    split_commas,
    under_root,
    url_with_scheme,
)
from backend.domain.retention import RetentionRule

__all__ = [
    "LONGEST_LEASE_S",
    "ROOT",
    "Settings",
    "SettingsError",
    "is_loopback",
    "is_reachable",
    "load_settings",
    "log_file_of",
    "secret_values",
    "vendor_environ",
]

LONGEST_LEASE_S = 3_600

Source = Literal["environment", ".env", "default", "argument"]

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|COOKIE|CREDENTIALS?)(_\d+)?$", re.IGNORECASE)


class Settings(BaseSettings):
    """Every setting of the process. Build it with `load_settings`; given arguments it reads nothing else."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = setting(
        "127.0.0.1",
        "Address the server listens on; anything but loopback needs AUTH_TOKEN or users.",
        allowed="an IP address or a host name",
        min_length=1,
    )
    port: int = setting(8888, "Port the server listens on; 0 takes a free one.", allowed="0 to 65535", ge=0, le=65_535)
    data_dir: Annotated[Path, AfterValidator(under_root)] = setting(
        Path("data"),
        "Folder of the embedded stores, artifacts and locks; a relative one hangs on the project root.",
        allowed="a folder",
    )
    mongodb_url: Annotated[str, url_with_scheme("mongodb", "mongodb+srv")] | None = setting(
        None,
        "MongoDB to use instead of the embedded one.",
        allowed="mongodb://... or mongodb+srv://...",
        repr=False,
    )
    mongodb_database: str = setting(
        "mediacrawer_pro",
        "Name of the database.",
        allowed="1 to 63 letters, digits, _ or -",
        pattern=r"^[A-Za-z0-9_-]{1,63}$",
    )
    redis_url: Annotated[str, url_with_scheme("redis", "rediss", "unix")] | None = setting(
        None,
        "Redis or Valkey to use instead of the embedded one.",
        allowed="redis://..., rediss://... or unix://...",
        repr=False,
    )
    stores: Literal["auto", "memory"] = setting(
        "auto",
        "auto: the URLs, else embedded stores on disk; memory: everything is lost on exit.",
        allowed="auto, memory",
    )
    auth_token: Annotated[SecretStr, AfterValidator(check_token)] | None = setting(
        None,
        "Token that opens everything, as an admin; once set, nobody gets in but with it or as a user.",
        allowed="8 or more characters, ASCII, no spaces",
    )
    allowed_hosts: Annotated[
        tuple[str, ...], BeforeValidator(split_commas), matching(HOST_NAME, "is not a host name")
    ] = setting((), "Host names the server answers to besides loopback.", allowed="host names, comma between")
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(split_commas), matching(ORIGIN, "is not an origin")] = (
        setting(
            (),
            "Origins whose pages may call the API besides the server's own.",
            allowed="https://name[:port], comma between",
        )
    )
    public_url: Annotated[str, matching_one(ORIGIN, "is not an origin")] | None = setting(
        None,
        "Where people reach this server through a proxy: its host is answered, and its cookies are secure with https.",
        allowed="https://name[:port]",
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(read_networks)] = setting(
        (),
        "Proxies believed about X-Forwarded-For and X-Forwarded-Proto; nobody else is.",
        allowed="addresses or networks such as 127.0.0.1 or 172.16.0.0/12, comma between",
    )
    task_visibility: Literal["team", "own"] = setting(
        "team",
        "team: everybody who may call sees all tasks; own: members see the tasks they made, admins all.",
        allowed="team, own",
    )
    allow_private_networks: Annotated[tuple[Network, ...], BeforeValidator(read_networks)] = setting(
        (),
        "Private networks that tasks may reach; all others are refused.",
        allowed="networks such as 10.0.0.0/8 or fd00::/8, comma between",
    )
    execution_engine: Literal["loop"] = setting(
        "loop",
        "What starts a task: the server's own event loop.",
        allowed="loop (taskiq is not in this version)",
    )
    execution_mode: Literal["auto", "held", "thread"] = setting(
        "auto",
        "auto: a created task starts; held: it waits for a start; thread: its work runs in a pool thread.",
        allowed="auto, held, thread",
    )
    max_running_tasks: int = setting(
        200,
        "Tasks that run at once in this process; each server has its own, platforms' caps hold over all servers.",
        unit="tasks",
        allowed="1 to 10000",
        ge=1,
        le=10_000,
    )
    max_running_crawls: int = setting(
        20, "Crawl tasks among them, in this process.", unit="tasks", allowed="1 to 10000", ge=1, le=10_000
    )
    max_attempts: int = setting(
        3,
        "Failed attempts after which a task is given up.",
        unit="attempts",
        allowed="1 to 100",
        ge=1,
        le=100,
    )
    lease_s: float = setting(
        30.0,
        "How long a task stays ours after the last heartbeat.",
        unit="s",
        allowed="5 to 3600",
        ge=5,
        le=LONGEST_LEASE_S,
        allow_inf_nan=False,
    )
    crawl_deadline_s: float = setting(
        86_400.0,
        "How long a crawl task may run.",
        unit="s",
        allowed="1 to 31536000",
        ge=1,
        le=31_536_000,
        allow_inf_nan=False,
    )
    generate_deadline_s: float = setting(
        3_600.0,
        "How long a generation task may run.",
        unit="s",
        allowed="1 to 31536000",
        ge=1,
        le=31_536_000,
        allow_inf_nan=False,
    )
    retention_days: Annotated[tuple[RetentionRule, ...], BeforeValidator(read_rules)] = setting(
        (),
        "How long ended tasks are kept, with their results and files; what no rule names is kept for good.",
        allowed="kind.status=days, comma between, such as all.cancelled=7, crawl.failed=30; kind: crawl, generate, all;"
        " status: succeeded, partial, failed, timed_out, cancelled, all",
    )
    shutdown_grace_s: float = setting(
        10.0,
        "How long a stop may take before the process leaves anyway.",
        unit="s",
        allowed="0 to 3600",
        ge=0,
        le=3_600,
        allow_inf_nan=False,
    )
    browser_mode: Literal["auto", "attach", "system", "headless", "off"] = setting(
        "auto",
        "Which browser reads platforms that need one; auto: the attached one when BROWSER_CDP_URL is set, else a window"
        " where there is a screen, else headless.",
        allowed="auto, attach, system, headless, off",
    )
    browser_cdp_url: Annotated[str, url_with_scheme("http", "https", "ws", "wss")] | None = setting(
        None,
        "Where your own Chrome lets itself be attached to (chrome://inspect/#remote-debugging); attach alone takes"
        " http://127.0.0.1:9222.",
        allowed="http://... or ws://...",
    )
    browser_path: Annotated[Path, AfterValidator(under_root)] | None = setting(
        None, "Chrome or Chromium to start instead of the one that is found.", allowed="a program"
    )
    browser_max_tabs: int = setting(
        10, "Tabs open at once; a task beyond waits for its turn.", unit="tabs", allowed="1 to 100", ge=1, le=100
    )
    browser_idle_s: float = setting(
        300.0,
        "How long a browser without tabs is kept.",
        unit="s",
        allowed="1 to 86400",
        ge=1,
        le=86_400,
        allow_inf_nan=False,
    )
    browser_sandbox: Literal["auto", "on", "off"] = setting(
        "auto",
        "Chromium's own sandbox; auto: on, but for root, to whom Chromium refuses it.",
        allowed="auto, on, off",
    )
    log_level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] = setting(
        "INFO",
        "Lowest level that is logged.",
        allowed="TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR, CRITICAL",
    )
    log_file: Annotated[Path, AfterValidator(under_root)] | None = setting(
        None,
        "File that gets the log too, DATA_DIR/logs/server.log when not set; a relative one hangs on the project root.",
        allowed="a file",
    )
    language: Literal["zh", "en", "both"] = setting(
        "both", "Language of messages when a request names none.", allowed="zh, en, both"
    )

    app_env: Literal["production", "test"] = setting(
        "production", "test: for the product's own tests; it only lets CRASH_POINT be set.", allowed="production, test"
    )
    crash_point: Annotated[str, AfterValidator(check_crash_point)] | None = setting(
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
        if self.crash_point is not None and self.app_env != "test":
            raise ValueError("CRASH_POINT makes this process die on purpose and is for tests only; unset it")
        if self.stores == "memory" and (self.mongodb_url or self.redis_url):
            raise ValueError("STORES=memory contradicts MONGODB_URL or REDIS_URL; unset one of them")
        return self


def is_reachable(settings: Settings) -> bool:
    """Whether others than this machine can reach the server: bound so, or through a proxy."""
    public = None if settings.public_url is None else urlsplit(settings.public_url).hostname
    is_public = public is not None and not is_loopback(public)
    return is_public or bool(settings.trusted_proxies) or not is_loopback(settings.host)


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


def log_file_of(settings: Settings) -> Path:
    """Return the file that gets the log of the server."""
    return settings.log_file or settings.data_dir / "logs" / "server.log"


def secret_values(settings: Settings) -> list[str]:
    """Return what must never be printed: our token, the URLs' passwords, vendors' keys by their names."""
    found = [settings.auth_token.get_secret_value()] if settings.auth_token else []
    for url in (settings.mongodb_url, settings.redis_url):
        password = password_of(url) if url else ""
        found += [password, unquote(password)]
    found += [value for name, value in settings._environ.items() if _SECRET_NAME.search(name)]
    # Shorter ones ("1", "true") would blot out innocent text everywhere.
    return sorted({value for value in found if len(value) >= MIN_REDACTED_CHARS})


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
    return f"{name.upper()}{shown}{origin}: {problem}; allowed: {extra_of(name, 'allowed')}"


def _is_secret(name: str) -> bool:
    return name in {"auth_token", "mongodb_url", "redis_url"}


def extra_of(name: str, key: str) -> str:
    """Return what a setting's declaration says under `key`: its unit, or what is allowed."""
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra[key]) if isinstance(extra, dict) else ""


def password_of(url: str) -> str:
    """Return the password a URL holds, or an empty text."""
    # Not urlsplit: it raises on some broken URLs, and a broken URL's password is a secret too.
    userinfo = url.partition("://")[2].rpartition("@")[0]
    return userinfo.partition(":")[2]
