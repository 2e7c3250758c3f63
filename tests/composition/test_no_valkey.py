from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from backend.composition import stores
from backend.core.clock import Clock
from backend.core.embedded import EmbeddedStores
from backend.core.logs import captured_log
from backend.core.settings import Settings


async def test_bell_kept_in_the_process_says_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stores, "NO_VALKEY", True)
    embedded = EmbeddedStores(tmp_path, with_mongo=False, with_valkey=False)

    with captured_log() as lines:
        async with AsyncExitStack() as closing:
            await stores.open_cache(Settings(), Clock(), embedded, closing)

    (said,) = (line for line in lines if "WARNING" in line)
    assert "cancel works, but the stream cannot replay over a restart" in said
