"""With which token a command talks to a server: a person's, AUTH_TOKEN, else the secret of the very server it asks."""

from urllib.parse import urlsplit

from backend.cli.refusal import refuse
from backend.client import Target
from backend.core.server_file import ServerFile, ServerRecord, reachable_host
from backend.core.settings import Settings, is_loopback, vendor_environ

_UNSENDABLE = "{} 不是令牌：只能是英文字母、数字和符号 / is no token: letters, digits and signs of ASCII only"


def named_token(settings: Settings) -> str | None:
    """Return MEDIACRAWER_TOKEN, else AUTH_TOKEN, else None; leaves with code 2 when it cannot be sent."""
    return _usable("MEDIACRAWER_TOKEN", vendor_environ(settings).get("MEDIACRAWER_TOKEN")) or _shared(settings)


def token_here(settings: Settings) -> str | None:
    """Return what is sent to a server of this machine whose secret is not known.

    MEDIACRAWER_TOKEN is for where MEDIACRAWER_URL leads: beside one it is not sent to whoever has our port.
    """
    is_for_elsewhere = bool(vendor_environ(settings).get("MEDIACRAWER_URL", "").strip())
    return _shared(settings) if is_for_elsewhere else named_token(settings)


def target_for(url: str, settings: Settings) -> Target:
    """Return `url` with the token for it: a named one, else DATA_DIR/server.json's secret if that is the same server.

    With the secret the address is the one in the file: what `localhost` leads to may be another program's.
    """
    named = named_token(settings)
    if named is not None:
        return Target(url, named)
    # Only of a process that runs: at a dead one's port may listen whoever likes to be sent a secret.
    record = ServerFile(settings.data_dir).running()
    if record is None or record.secret is None or not _is_at(record, url):
        return Target(url)
    return Target(f"http://{reachable_host(record.host)}:{record.port}", record.secret)


def secret_of(record: ServerRecord) -> str | None:
    """Return the secret of a server that is reached over loopback; elsewhere it opens nothing, and is not sent."""
    return record.secret if is_loopback(reachable_host(record.host).strip("[]")) else None


def _is_at(record: ServerRecord, url: str) -> bool:
    try:
        parts = urlsplit(url)
        place = (parts.scheme, "127.0.0.1" if parts.hostname == "localhost" else parts.hostname, parts.port)
    except ValueError:
        return False
    here = ("http", reachable_host(record.host).strip("[]"), record.port)
    return secret_of(record) is not None and place == here and parts.path in {"", "/"}


def _shared(settings: Settings) -> str | None:
    return _usable("AUTH_TOKEN", settings.auth_token.get_secret_value() if settings.auth_token else None)


def _usable(name: str, token: str | None) -> str | None:
    token = (token or "").strip()
    if not token.isascii() or not token.isprintable():
        # A header cannot hold it; most likely the words of a hint were copied as they stand.
        refuse(_UNSENDABLE.format(name))
    return token or None
