"""What can go wrong between us and a server, each class also one of httpx's.

    GateError (httpx.RequestError)
      NotConnected (ConnectError)           nothing of the request left this machine
        Forbidden                           the address may not be spoken to
        DnsFailed                           the name has no address
        TlsFailed                           no secure connection: certificate, protocol
      SchemeRefused (UnsupportedProtocol)   not an http or https URL
      NoAnswer (ReadError)                  sent, at least in part; no complete head came back
      BrokenAnswer (RemoteProtocolError)    the answer breaks off or breaks the rules
      Deadline (TimeoutException)           the time for the whole request is up
      TooLarge                              the body is over its limit
        DecompressionLimit (DecodingError)  ... only after decompression

One limit is inherent: "accepted, then closed" and "read it all, then closed" look the same from
here. Both are NoAnswer with `sent` true.
"""

from typing import Literal

import httpx

_MAX_TEXT = 200

Phase = Literal["connect", "answer", "body"]


class GateError(httpx.RequestError):
    """A request that failed in the gate.

    `phase` says how far it got; `sent` whether the server may have seen the request; `reused` whether
    it went out on a connection that had served before (a stale one fails just like a broken server).
    """

    def __init__(
        self,
        message: str,
        *,
        request: httpx.Request | None,
        phase: Phase = "connect",
        sent: bool = False,
        reused: bool = False,
    ) -> None:
        super().__init__(message, request=request)
        self.phase: Phase = phase
        self.sent = sent
        self.reused = reused


def described(error: Exception) -> str:
    """Return one short line about `error`: the parser's own text quotes the whole answer."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_TEXT]


class NotConnected(GateError, httpx.ConnectError):  # noqa: N818 - the name says what happened, as httpx's do
    """No connection: nothing of the request left this machine."""


class Forbidden(NotConnected):
    """The host or one of its addresses is not public, or is denied by the policy."""


class DnsFailed(NotConnected):
    """The name could not be resolved."""


class TlsFailed(NotConnected):
    """The TLS handshake failed: a certificate for another name, an unknown CA, no TLS at all."""


class SchemeRefused(GateError, httpx.UnsupportedProtocol):  # noqa: N818
    """The URL is not a readable http or https URL."""


class NoAnswer(GateError, httpx.ReadError):  # noqa: N818
    """The request was sent, at least in part, and no complete head came back: the outcome is unknown."""


class BrokenAnswer(GateError, httpx.RemoteProtocolError):  # noqa: N818
    """The answer breaks off, or breaks the rules of HTTP or of its content coding."""


class Deadline(GateError, httpx.TimeoutException):  # noqa: N818
    """The time for the whole request, its redirects and its queueing is up."""


class TooLarge(GateError):  # noqa: N818
    """The body is longer than allowed."""


class DecompressionLimit(TooLarge, httpx.DecodingError):
    """The body is longer than allowed once decompressed."""


# Most specific first: the first class that matches gives the name.
_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (Forbidden, "PRIVATE_ADDRESS"),
    (DnsFailed, "DNS_FAILED"),
    (TlsFailed, "TLS_FAILED"),
    (httpx.ConnectError, "CONNECT_FAILED"),
    (httpx.ProxyError, "CONNECT_FAILED"),
    (httpx.UnsupportedProtocol, "SCHEME_REFUSED"),
    (httpx.InvalidURL, "SCHEME_REFUSED"),
    (httpx.TimeoutException, "DEADLINE"),
    (DecompressionLimit, "DECOMPRESSION_LIMIT"),
    (TooLarge, "TOO_LARGE"),
    (httpx.TooManyRedirects, "TOO_MANY_REDIRECTS"),
    (httpx.RemoteProtocolError, "BROKEN_ANSWER"),
    (httpx.DecodingError, "BROKEN_ANSWER"),
    (httpx.NetworkError, "NO_ANSWER"),
)


def error_name(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    """Return the stable word for `error` that task.error and page.error carry.

    What is our own mistake (a control character in a header) is "INTERNAL".
    """
    return next((name for kind, name in _NAMES if isinstance(error, kind)), "INTERNAL")
