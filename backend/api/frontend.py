"""The built frontend: hashed assets that never change, and index.html for every page of its router."""

from pathlib import Path
from urllib.parse import quote

from tornado.web import StaticFileHandler

from backend.api.base import BaseHandler
from backend.api.errors import ApiError, not_found
from backend.domain.text import Text

# What the page loads is its own; nothing is inlined (vite.config.ts).
PAGE_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; frame-ancestors 'none'"
)
_ASSETS = "assets/"
_INDEX = "index.html"


class FrontendHandler(BaseHandler, StaticFileHandler):
    """A file of the build, or index.html: the page's own router knows the rest."""

    policy = PAGE_POLICY

    def check_caller(self) -> None:
        """Let in who may come in, and everybody to the hashed files: they hold no data. A person is sent to /login."""
        if self.request.path.startswith(f"/{_ASSETS}"):
            return
        if self._is_navigation() and not self.door.callers.is_known(self.request):
            self.set_header("Cache-Control", "no-store")
            self.redirect(f"/login?next={quote(self.request.uri or '/', safe='/')}", status=303)
            return
        super().check_caller()

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file."""
        await StaticFileHandler.get(self, self._file_for(path), include_body)

    async def head(self, path: str) -> None:  # type: ignore[override]
        """Send the file's headers."""
        await self.get(path, include_body=False)

    def set_extra_headers(self, path: str) -> None:
        """Let hashed files be kept for ever, and ask again for all others."""
        is_hashed = path.startswith(_ASSETS)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if is_hashed else "no-cache")

    def compute_etag(self) -> str | None:  # type: ignore[override]
        """Return the hash of the file."""
        return StaticFileHandler.compute_etag(self)

    def _is_navigation(self) -> bool:
        return self.request.method in {"GET", "HEAD"} and "text/html" in self.request.headers.get("Accept", "")

    def _file_for(self, path: str) -> str:
        root = Path(self.root)
        if "\0" not in path and _is_inside(root, root / path):
            return path
        if path.startswith(_ASSETS):
            raise not_found()
        if not (root / _INDEX).is_file():
            advice = Text("运行 make setup 构建前端", "Run make setup, which builds the frontend")
            raise ApiError("NOT_FOUND", Text("前端尚未构建", "The frontend is not built"), advice=advice)
        return _INDEX


def _is_inside(root: Path, path: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root.resolve())
