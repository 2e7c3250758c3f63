"""An answer goes with its last reference: pages are large, and the garbage collector comes late."""

import gc
import weakref
from collections.abc import Iterator

import httpx
import pytest
import tornado.ioloop

from tests.fixtures.hostile_server import Field, open_field


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_an_answer_read_whole_is_gone_with_its_last_reference(field: Field) -> None:
    answer = await field.client.get(field.server.url("page"))
    gone = weakref.ref(answer)
    assert answer.content

    del answer

    assert gone() is None


async def test_an_answer_read_in_pieces_is_gone_with_its_last_reference(field: Field) -> None:
    async with field.client.stream("GET", field.server.url("page")) as answer:
        pieces = [piece async for piece in answer.aiter_bytes()]
    gone = weakref.ref(answer)

    del answer

    assert (bool(pieces), gone()) == (True, None)


async def test_an_answer_left_unread_is_gone_with_its_last_reference(field: Field) -> None:
    async with field.client.stream("GET", field.server.url("page")) as answer:
        gone = weakref.ref(answer)

    del answer

    assert gone() is None


async def test_an_answer_that_was_closed_refuses_to_be_read_as_httpx_does(field: Field) -> None:
    async with field.client.stream("GET", field.server.url("page")) as answer:
        pass

    with pytest.raises(httpx.StreamClosed):
        await answer.aread()
