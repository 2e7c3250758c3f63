"""A real mongod and a real Valkey as children of the server, for a machine that has neither.

`EmbeddedStores` starts, watches and stops both under one `DataDirLock`. Decision: docs/decisions/0004.
"""

from backend.core.embedded.errors import (
    DataDirInUseError,
    EmbeddedStoreError,
    StoreBinaryError,
    StoreStartError,
)
from backend.core.embedded.lock import DataDirLock
from backend.core.embedded.mongo import EmbeddedMongo, mongosh_line
from backend.core.embedded.stores import MEMORY_STORES_WARNING, EmbeddedStores, warn_of_memory_stores
from backend.core.embedded.valkey import EmbeddedValkey

__all__ = [
    "MEMORY_STORES_WARNING",
    "DataDirInUseError",
    "DataDirLock",
    "EmbeddedMongo",
    "EmbeddedStoreError",
    "EmbeddedStores",
    "EmbeddedValkey",
    "StoreBinaryError",
    "StoreStartError",
    "mongosh_line",
    "warn_of_memory_stores",
]
