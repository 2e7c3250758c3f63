"""With which token a command talks to a server: a person's, AUTH_TOKEN, else the secret of the very server it asks."""

from urllib.parse import urlsplit

from backend.core.server_file import ServerFile, ServerRecord, reachable_host
from backend.core.settings import Settings, is_loopback, vendor_environ


def named_token(settings: Settings) -> str | None:
    """Return MEDIACRAWER_TOKEN, else AUTH_TOKEN, else None."""
    named = vendor_environ(settings).get("MEDIACRAWER_TOKEN", "").strip()
    return named or (settings.auth_token.get_secret_value() if settings.auth_token else None)


def token_for(url: str, settings: Settings) -> str | None:
    """Return the token for the server at `url`; the secret of DATA_DIR/server.json only if that is the same server."""
    named = named_token(settings)
    if named is not None:
        return named
    # Only of a process that runs: at a dead one's port may listen whoever likes to be sent a secret.
    record = ServerFile(settings.data_dir).running()
    return record.secret if record is not None and _is_at(record, url) else None


def _is_at(record: ServerRecord, url: str) -> bool:
    host = reachable_host(record.host).strip("[]")
    try:
        parts = urlsplit(url)
        place = (parts.scheme, "127.0.0.1" if parts.hostname == "localhost" else parts.hostname, parts.port)
    except ValueError:
        return False
    # Elsewhere than over loopback the secret opens nothing.
    return is_loopback(host) and place == ("http", host, record.port) and parts.path in {"", "/"}
