import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
import redis

from backend.core.embedded import EmbeddedValkey


async def test_acknowledged_write_survives_kill_9(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir)
    uri = await valkey.start()
    assert valkey.pid is not None
    with redis.Redis.from_url(uri) as client:
        client.set("flag", "1")
    os.kill(valkey.pid, 9)
    await valkey.wait_exit()

    assert await valkey.ensure_running()

    with redis.Redis.from_url(valkey.uri) as client:
        assert (valkey.uri, client.get("flag")) == (uri, b"1")
    await valkey.stop()


async def test_kill_ends_a_frozen_store_in_the_middle_of_its_stop(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir, stop_timeout_s=60)
    await valkey.start()
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGSTOP)
    stopping = asyncio.ensure_future(valkey.stop())
    await asyncio.sleep(0)

    valkey.kill()

    async with asyncio.timeout(10):
        await stopping
    assert valkey.pid is None


async def test_data_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir)
    for _ in range(2):
        with redis.Redis.from_url(await valkey.start()) as client:
            count = client.incr("starts")
        await valkey.stop()

    assert count == 2


async def test_every_write_is_on_disk_before_the_answer(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir)

    with redis.Redis.from_url(await valkey.start()) as client:
        assert client.config_get("append*") | {"save": client.config_get("save")["save"]} == {
            "appendonly": "yes",
            "appendfsync": "always",
            "appendfilename": "appendonly.aof",
            "appenddirname": "appendonlydir",
            "save": "",
        }

    await valkey.stop()


@pytest.mark.parametrize("name", ["with space", "数据-データ", "percent%20 #?&'\"@$+", "looks:like [a] host", "a,b"])
async def test_any_name_of_a_folder_will_do(data_dir: Path, name: str) -> None:
    valkey = EmbeddedValkey(data_dir / name)

    with redis.Redis.from_url(await valkey.start()) as client:
        assert client.ping()

    await valkey.stop()


async def test_path_too_long_for_a_socket_is_served_on_loopback(data_dir: Path) -> None:
    valkey = EmbeddedValkey(data_dir / ("x" * 120))

    with redis.Redis.from_url(await valkey.start()) as client:
        assert client.ping()
        assert valkey.pid is not None
        listening = {address.laddr.ip for address in psutil.Process(valkey.pid).net_connections("inet")}

    assert listening == {"127.0.0.1"}
    await valkey.stop()
