"""A loop that stands still while an answer arrives and its time runs out."""

from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.http import Deadline
from tests.fixtures.hostile_server import Field, open_field


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


async def test_head_that_arrives_together_with_the_deadline_is_a_deadline(field: Field) -> None:
    with pytest.raises(Deadline):
        await field.client.get(field.server.url("stall/0.5"), extensions={"total_s": 0.2})
