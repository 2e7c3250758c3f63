"""The secret in DATA_DIR/server.json: what the commands of this machine come in with, and nobody from elsewhere."""

import hmac

from tornado.httputil import HTTPServerRequest

from backend.core.settings import is_loopback

# Our commands send none of these; with one of them somebody else stands behind the peer.
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")


class LocalSecret:
    """Compares a token with the secret of this start in constant time; a server without one opens to none."""

    def __init__(self, secret: str | None) -> None:
        self._secret = None if secret is None else secret.encode("ascii")

    def opens(self, token: str, request: HTTPServerRequest) -> bool:
        """Tell whether it is the secret, sent over loopback and by no proxy."""
        return (
            self._secret is not None
            and hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._secret)
            and is_loopback(request.remote_ip or "")
            and not any(name in request.headers for name in _FORWARDED)
        )
