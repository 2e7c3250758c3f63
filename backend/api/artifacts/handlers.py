"""`/artifacts/{id}`: the bytes of a file, whole or in part, never run by the browser that shows it."""

from tornado.iostream import StreamClosedError

from backend.api.artifacts.ranges import read_range
from backend.api.base import ApiHandler
from backend.api.disposition import disposition
from backend.api.openapi import Operation, Route
from backend.api.query import QueryModel
from backend.domain.generation import Artifact
from backend.services.artifact_service import StoredFile, no_such_file

# A file of ours may be a page of somebody's: opened alone it gets no origin, no script and no network.
_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
# SVG is an image that runs scripts.
_NOT_SHOWN = frozenset({"image/svg+xml"})
_SHOWN = ("video/", "audio/", "image/")


class ArtifactQuery(QueryModel):
    """`download` makes a browser save what it would show."""

    download: bool = False


class ArtifactHandler(ApiHandler):
    """One file."""

    policy = f"{_POLICY}; frame-ancestors 'none'"

    async def get(self, artifact_id: str) -> None:
        """Send the file, or the range asked for."""
        query = self.read_query(ArtifactQuery)
        file = await self.services.artifacts.file(artifact_id)
        if not await self.services.access.sees(file.artifact.task_id, self.caller):
            raise no_such_file(artifact_id)
        self._describe(file.artifact, is_download=query.download)
        if self.check_etag_header():
            self.set_status(304)
            return
        start, end = self._choose_range(file)
        self.set_header("Content-Length", end - start)
        if self.request.method != "HEAD":
            await self._send(file, start, end)

    def _describe(self, artifact: Artifact, *, is_download: bool) -> None:
        self.set_header("Content-Type", artifact.media_type)
        self.set_header("Etag", f'"{artifact.sha256}"')
        self.set_header("Accept-Ranges", "bytes")
        # The bytes of an id never change; the id itself may be asked for only by those who may call.
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.set_header("Content-Disposition", _disposition(artifact, is_download=is_download))

    def _choose_range(self, file: StoredFile) -> tuple[int, int]:
        condition = self.request.headers.get("If-Range")
        is_same = condition is None or condition.strip() == f'"{file.artifact.sha256}"'
        wanted = read_range(self.request.headers.get("Range") if is_same else None, file.size_bytes)
        if wanted is None:
            return 0, file.size_bytes
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {wanted[0]}-{wanted[1] - 1}/{file.size_bytes}")
        return wanted

    async def _send(self, file: StoredFile, start: int, end: int) -> None:
        try:
            async for chunk in file.chunks(start, end):
                self.write(chunk)
                await self.flush()
        except StreamClosedError:
            # The reader has seen enough: a player that jumps does it all the time.
            return


def _disposition(artifact: Artifact, *, is_download: bool) -> str:
    media_type = artifact.media_type.lower()
    is_shown = media_type.startswith(_SHOWN) and media_type.partition(";")[0].strip() not in _NOT_SHOWN
    return disposition("inline" if is_shown and not is_download else "attachment", artifact.name)


ROUTES = (
    Route(
        "/api/v1/artifacts/{artifact_id}",
        ArtifactHandler,
        {
            verb: Operation(
                summary,
                None,
                query=ArtifactQuery,
                errors=("NOT_FOUND", "RANGE_INVALID"),
                headers={"Range": "One range of bytes", "If-Range": "The ETag the range belongs to"},
                answer_headers={"ETag": "The SHA-256 of the file", "Content-Range": "With 206"},
                statuses={200: "The file", 206: "The range", 304: "Not changed"},
                media_type="application/octet-stream",
            )
            for verb, summary in (("get", "Read a file, or a range of it"), ("head", "Ask what a file is"))
        },
    ),
)
