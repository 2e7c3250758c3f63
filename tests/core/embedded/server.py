# ruff: noqa: T201  (its output is what the tests read)
"""A stand-in for the server, to be killed: starts both stores, prints `UP mongod_pid valkey_pid`, waits.

At SIGINT it asks both stores for an answer, prints `ANSWERED` and stops them.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import get_args

import pymongo
import redis

from backend.core.embedded import DataDirInUseError, EmbeddedMongo, EmbeddedStores
from backend.core.embedded.child import Bond


async def main(data_dir: Path, bond: Bond) -> None:
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    stores = EmbeddedStores(data_dir)
    assert stores.mongo is not None
    assert stores.valkey is not None
    if bond == "pipe":
        stores.mongo = EmbeddedMongo(data_dir, lock=stores.lock, bond=bond)
    try:
        await stores.start()
    except DataDirInUseError as error:
        print("REFUSED", error)
        return
    print("UP", stores.mongo.pid, stores.valkey.pid)
    await interrupted.wait()
    with (
        pymongo.MongoClient[dict[str, object]](stores.mongo.uri) as mongo,
        redis.Redis.from_url(stores.valkey.uri) as valkey,
    ):
        mongo.admin.command("ping")
        valkey.ping()
    print("ANSWERED")
    await stores.stop()
    print("STOPPED")


if __name__ == "__main__":
    chosen = sys.argv[2] if len(sys.argv) > 2 else "death_signal"
    asyncio.run(main(Path(sys.argv[1]), next(bond for bond in get_args(Bond) if bond == chosen)))
