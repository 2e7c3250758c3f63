"""Every registered platform keeps the contract, type by type (tests/fixtures/platform_contract)."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.crawl.registry import load_platforms
from tests.fixtures.chromium import find_chromium
from tests.fixtures.platform_contract import CHECKS, CONTRACTS, Check, Lab, TypeContract

PLATFORMS = load_platforms({})
TYPES = {(info.id, type_.id): type_ for info in (one.info for one in PLATFORMS.values()) for type_ in info.types}
CELLS = [
    pytest.param(
        contract,
        check,
        id=f"{contract.platform_id}-{contract.type_id}-{check.id}",
        marks=[pytest.mark.browser] if contract.needs_browser and not check.is_static else [],
    )
    for contract in CONTRACTS.values()
    for check in CHECKS
]


@pytest.fixture(scope="module", autouse=True)
def io_loop() -> Iterator[tornado.ioloop.IOLoop]:
    """A loop for the whole module: the browser lives on the one it was started on."""
    asyncio_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(asyncio_loop)
    loop = tornado.ioloop.IOLoop(asyncio_loop=asyncio_loop, make_current=False)
    yield loop
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close(all_fds=False)


@pytest.fixture(scope="module")
def lab(mongo_url: str, io_loop: tornado.ioloop.IOLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder, name = tmp_path_factory.mktemp("contract"), f"contract_{uuid.uuid4().hex[:12]}"
    made = Lab(mongo_url, name, folder, chromium=find_chromium())
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.mark.parametrize(("contract", "check"), CELLS)
async def test_contract(lab: Lab, contract: TypeContract, check: Check) -> None:
    if check.id in contract.does_not_apply:
        pytest.skip(f"does not apply to {contract.type_id}: {contract.does_not_apply[check.id]}")
    if contract.needs_browser and not check.is_static and not lab.has_browser:
        pytest.skip("no Chromium on PATH")

    await check.run(lab, contract, TYPES[contract.platform_id, contract.type_id])


def test_every_type_of_every_registered_platform_has_its_contract() -> None:
    assert set(CONTRACTS) == set(TYPES)


def test_what_does_not_apply_is_a_known_check_with_a_reason() -> None:
    known = {check.id for check in CHECKS if not check.is_static}

    assert [one for one in CONTRACTS.values() if not set(one.does_not_apply) <= known] == []
    assert all(len(reason) > 20 for one in CONTRACTS.values() for reason in one.does_not_apply.values())
