"""The file of a backup: a plain tar of named members, written and read in one pass each, in constant memory.

    backup.json                         what it is: format, program, versions of the collections
    data/<collection>/<number>.jsonl.gz documents in MongoDB's extended JSON, one a line, some MB a member
    files/<sha256>                      artifacts, when they are inside
    secrets.key                         the key of what is sealed, when it is inside
    manifest.json                       counts and sums; the last member: without it the file was cut

Any tar program opens it. Ours reads only these names and only plain files: the member's name never becomes a path, and
links, devices and extended headers are refused. Nothing here is signed: the sums tell damage, not a forger.
"""

import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backend.domain.errors import BackupError
from backend.domain.text import Text

FORMAT = 1
HEAD, MANIFEST, KEY = "backup.json", "manifest.json", "secrets.key"
# One member of documents: raw in memory while it is written and read, so this bounds both.
CHUNK_BYTES = 4_194_304
MAX_CHUNK_BYTES = 100_000_000
MAX_NOTE_BYTES = 1_000_000
_COPY_BYTES = 1_048_576
_BLOCK = tarfile.BLOCKSIZE
_MODE = 0o600
_DATA = re.compile(r"data/([a-z_]{1,60})/(\d{6,9})\.jsonl\.gz")
_FILE = re.compile(r"files/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name, its size in bytes, and where its bytes begin in the file."""

    name: str
    size: int
    offset: int

    @property
    def collection(self) -> str | None:
        """Of documents: whose."""
        found = _DATA.fullmatch(self.name)
        return None if found is None else found[1]

    @property
    def number(self) -> int:
        """Of documents: which member of the collection, from 0."""
        found = _DATA.fullmatch(self.name)
        return -1 if found is None else int(found[2])

    @property
    def sha256(self) -> str | None:
        """Of a file: the SHA-256 that is its name."""
        found = _FILE.fullmatch(self.name)
        return None if found is None else found[1]


class ArchiveWriter:
    """Writes members one after the other to `out`."""

    def __init__(self, out: BinaryIO, *, made_at_s: int) -> None:
        self._out = out
        self._made_at_s = made_at_s
        self._chunks: dict[str, int] = {}

    def add(self, name: str, body: bytes) -> None:
        """Add a small member."""
        self._begin(name, len(body))
        self._out.write(body)
        self._pad(len(body))

    def add_documents(self, collection: str, lines: bytes) -> None:
        """Add the next documents of a collection, whole lines."""
        number = self._chunks.get(collection, 0)
        self._chunks[collection] = number + 1
        packer = zlib.compressobj(wbits=31)
        self.add(f"data/{collection}/{number:06d}.jsonl.gz", packer.compress(lines) + packer.flush())

    def add_file(self, sha256: str, source: BinaryIO, size: int) -> None:
        """Add an artifact. Raises BackupError when it is not what it is named after."""
        self._begin(f"files/{sha256}", size)
        digest, left = hashlib.sha256(), size
        while left and (piece := source.read(min(left, _COPY_BYTES))):
            digest.update(piece)
            self._out.write(piece)
            left -= len(piece)
        if left or digest.hexdigest() != sha256:
            raise damaged(f"files/{sha256}")
        self._pad(size)

    def end(self) -> None:
        """Write the end of a tar."""
        self._out.write(bytes(2 * _BLOCK))

    def _begin(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, _MODE, self._made_at_s
        self._out.write(info.tobuf(tarfile.GNU_FORMAT))

    def _pad(self, size: int) -> None:
        self._out.write(bytes(-size % _BLOCK))


class ArchiveReader:
    """Reads members of `source`, a seekable file of `size` bytes. Believes nothing of it."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._size = size

    def members(self) -> Iterator[Member]:
        """Yield every member in order, up to the manifest. Raises BackupError on anything that is not ours."""
        at, last = 0, ""
        while last != MANIFEST:
            member = self._member_at(at)
            yield member
            at, last = member.offset + member.size + (-member.size % _BLOCK), member.name

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Yield the bytes of a member."""
        self._source.seek(member.offset)
        left = member.size
        while left:
            piece = self._source.read(min(left, _COPY_BYTES))
            if not piece:
                raise cut()
            left -= len(piece)
            yield piece

    def note(self, member: Member) -> bytes:
        """Return a small member whole. Raises BackupError when it is large."""
        if member.size > MAX_NOTE_BYTES:
            raise damaged(member.name)
        return b"".join(self.pieces(member))

    def documents(self, member: Member) -> bytes:
        """Return the lines of a member of documents. Raises BackupError, also when they unpack to over 100 MB."""
        if member.size > MAX_CHUNK_BYTES:
            raise damaged(member.name)
        unpacker = zlib.decompressobj(wbits=31)
        try:
            lines = unpacker.decompress(b"".join(self.pieces(member)), MAX_CHUNK_BYTES)
        except zlib.error:
            raise damaged(member.name) from None
        # More to come, a stream that does not end, or something behind it: not written by us.
        if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
            raise damaged(member.name)
        return lines

    def _member_at(self, at: int) -> Member:
        self._source.seek(at)
        block = self._source.read(_BLOCK)
        if at == 0 and not _looks_like_tar(block):
            raise not_a_backup()
        if len(block) < _BLOCK or not any(block):
            raise cut()
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError):
            raise damaged(f"@{at}") from None
        if at == 0 and info.name != HEAD:
            raise not_a_backup()
        if not (info.isreg() and _is_ours(info.name)) or info.size < 0:
            raise damaged(_printable(info.name))
        if at + _BLOCK + info.size > self._size:
            raise cut()
        return Member(info.name, info.size, at + _BLOCK)


def _looks_like_tar(block: bytes) -> bool:
    return len(block) == _BLOCK and block[257:262] == b"ustar"


def _is_ours(name: str) -> bool:
    return name in {HEAD, MANIFEST, KEY} or bool(_DATA.fullmatch(name) or _FILE.fullmatch(name))


def _printable(name: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in name)[:120]


def not_a_backup() -> BackupError:
    """Return the error of a file that is something else."""
    return BackupError("NOT_A_BACKUP", Text("这不是 mediacrawer 的备份文件", "This is no backup of mediacrawer"))


def cut() -> BackupError:
    """Return the error of a file that ends too soon."""
    return BackupError("BACKUP_CUT", Text("备份文件不完整，后半部分缺失", "The backup is cut: its end is missing"))


def damaged(where: str) -> BackupError:
    """Return the error of a file whose content is not what its sums say, or not ours."""
    return BackupError("BACKUP_DAMAGED", Text(f"备份文件已损坏: {where}", f"The backup is damaged: {where}"))
