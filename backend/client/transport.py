"""Sends calls: on the product's own gate, which survives cancels (httpx's pool does not), within limits, with care.

Only what may be done twice is sent twice: reads, cancels, and a POST with an Idempotency-Key.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx

import backend
from backend.client.errors import BrokenOffError, ServerDownError, TimeUpError
from backend.client.target import Target
from backend.client.wire import API, Call, api_error
from backend.core.http import HttpGate, NetworkPolicy, NotConnected, origin_of

ATTEMPTS = 3
# Of a stream and a file: the server says something every 15 s, and hangs up on a reader after 60 s.
IDLE_S = 45.0
STREAM_TOTAL_S = 86_400.0
MAX_ANSWER_BYTES = 64 << 20
MAX_STREAM_BYTES = 1 << 50
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_LATER = frozenset({429, 503})


class Transport:
    """The way to one server; belongs to the event loop on which it was started."""

    def __init__(self, target: Target, *, language: str | None) -> None:
        self._target = target
        self._origin = origin_of(target.url)
        self._headers = {} if target.token is None else {"Authorization": f"Bearer {target.token}"}
        if language is not None:
            self._headers["Accept-Language"] = language
        self._gate = HttpGate(
            policy=NetworkPolicy(trusted_origins=frozenset({self._origin})),
            user_agent=f"mediacrawer-client/{backend.__version__}",
            max_body_bytes=MAX_ANSWER_BYTES,
        )

    async def start(self) -> None:
        """Open the gate on the running loop."""
        await self._gate.start()

    async def stop(self) -> None:
        """Close every connection."""
        await self._gate.stop()

    async def send(self, call: Call) -> httpx.Response:
        """Return the whole answer, whatever its status; what may be repeated is, up to three times in all.

        Raises ServerDownError, BrokenOffError, TimeUpError.
        """
        attempts = ATTEMPTS if call.is_repeatable and not call.is_root else 1
        for attempt in range(1, attempts + 1):
            pause_s = _FIRST_PAUSE_S * 4 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
            try:
                response = await self._send_once(call)
            except (ServerDownError, BrokenOffError):
                if attempt == attempts:
                    raise
            else:
                if attempt == attempts or response.status_code not in _LATER:
                    return response
                pause_s = min(float(response.headers.get("Retry-After") or pause_s), _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send_once(self, call: Call) -> httpx.Response:
        with _translated():
            return await self._http.request(
                call.method,
                self._url(call),
                params=call.params(),
                json=call.body,
                headers=self._headers | dict(call.headers),
                extensions={"total_s": call.total_s},
            )

    @asynccontextmanager
    async def streamed(self, call: Call, *, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.Response]:
        """Yield an answer whose body is still to be read with `pieces`.

        Raises ApiError for a refusal, and as `send`.
        """
        request = self._http.build_request(
            call.method,
            self._url(call),
            params=call.params(),
            headers=self._headers | dict(headers or {}),
            extensions={"total_s": call.total_s, "max_body_bytes": MAX_STREAM_BYTES},
        )
        with _translated():
            response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                with _translated():
                    await response.aread()
                raise api_error(response)
            yield response
        finally:
            await response.aclose()

    @property
    def _http(self) -> httpx.AsyncClient:
        return self._gate.trusted(self._origin)

    def _url(self, call: Call) -> str:
        return f"{self._target.url}{'' if call.is_root else API}{call.path}"


async def pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """Yield the body in pieces.

    Raises BrokenOffError when nothing comes for IDLE_S, TimeUpError when the time of the call is up.
    """
    source = response.aiter_bytes()
    with _translated():
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    piece = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise BrokenOffError(f"nothing has come for {IDLE_S:g} s") from error
            yield piece


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise TimeUpError(str(error)) from error
    except NotConnected as error:
        raise ServerDownError(str(error)) from error
    except httpx.RequestError as error:
        raise BrokenOffError(str(error)) from error
