"""A small site for browsers: pages that ask for more, and answers that never begin, never end, or keep a page busy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PAGE = b"""<!doctype html><meta charset=utf-8><title>x</title><body>
<div id=list></div><script>
const add = () => fetch('/list').then(r => r.json()).then(all => {
  for (const one of all) { const p = document.createElement('p'); p.style.height = '120px'; p.textContent = one.text;
    document.querySelector('#list').append(p); } });
add().then(add);
const isNear = () => scrollY + 2 * innerHeight > document.body.scrollHeight;
addEventListener('scroll', () => { if (isNear()) add(); });
</script>"""
_NEVER = b"<!doctype html><p>x</p><script>fetch('/never')</script>"
_SPIN = b"<!doctype html><p>x</p><script>setTimeout(() => { while (true); }, 50)</script>"
_LIST = b"[" + b",".join(b'{"text": "%s"}' % (b"x" * 3_000) for _ in range(30)) + b"]"
_KEEP_ALIVE_S = 5.0
_HTML, _JSON = b"text/html; charset=utf-8", b"application/json"
_PAGES = {"/": (_PAGE, _HTML), "/asks": (_NEVER, _HTML), "/spin": (_SPIN, _HTML), "/list": (_LIST, _JSON)}


class BrowserSite:
    """Serves on loopback. `/hold`, and any path nobody knows, is never answered; `/never` begins and never ends."""

    def __init__(self) -> None:
        self.origin = ""
        self._leaving = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["BrowserSite"]:
        """Serve while inside."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self._leaving.set()
            if self._talks:
                await asyncio.wait(set(self._talks))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is not None:
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)
        try:
            while not self._leaving.is_set():
                async with asyncio.timeout(_KEEP_ALIVE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.split(b" ", 2)[1].decode("ascii"), writer)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            return
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/favicon.ico":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif path == "/never":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[")
        elif path in _PAGES:
            body, kind = _PAGES[path]
            head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
            writer.write(head + body)
        else:
            await self._leaving.wait()
        await writer.drain()
