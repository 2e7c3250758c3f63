"""What can keep an embedded store from running.

EmbeddedStoreError
|-- DataDirInUseError   another process owns the data folder
|-- StoreBinaryError    there is no program to start, or it cannot run on this machine
`-- StoreStartError     the program ran and ended, or did not answer in time
"""

from backend.domain.errors import MediaCrawerError
from backend.domain.text import Text


class EmbeddedStoreError(MediaCrawerError):
    """An embedded store cannot be used; the message says what a person can do."""

    name = "EMBEDDED_STORE"


class DataDirInUseError(EmbeddedStoreError):
    """The data folder belongs to a living process; `pid` is None when the lock file does not tell which."""

    name = "DATA_DIR_IN_USE"

    def __init__(self, folder: str, pid: int | None) -> None:
        known = "?" if pid is None else pid
        super().__init__(Text(f"{folder} 正被进程 {known} 使用", f"{folder} is in use by process {known}"))
        self.pid = pid


class StoreBinaryError(EmbeddedStoreError):
    """No program was found, or the one found cannot run here."""

    name = "STORE_BINARY"


class StoreStartError(EmbeddedStoreError):
    """The program was started and did not come up."""

    name = "STORE_START"
