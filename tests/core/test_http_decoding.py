"""Content codings: right bytes at any split, a cut always noticed, and no bomb gets far."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.http import DecompressionLimit, TooLarge, error_name
from backend.core.network.decoding import CHUNK_BYTES, Decoder, codings_of, decoder_for
from tests.fixtures.hostile_peer import CODECS, PAGE, bomb, coding_name
from tests.fixtures.hostile_server import Field, open_field

MEGABYTE = 1 << 20
# Generous: a decoder's window and some pieces under way, and nothing near the size of the body.
MAX_GROWTH_BYTES = 24 * MEGABYTE


@pytest.fixture
def field(io_loop: tornado.ioloop.IOLoop) -> Iterator[Field]:
    yield from open_field(io_loop)


def new_decoder(codec: str) -> Decoder:
    decoder = decoder_for([coding_name(codec)])
    assert decoder is not None
    return decoder


def random_body(dice: random.Random) -> bytes:
    kinds = [
        lambda: dice.randbytes(dice.randrange(3000)),
        lambda: bytes(dice.randrange(300_000)),
        lambda: b"abc" * dice.randrange(20_000),
    ]
    return b"".join(dice.choice(kinds)() for _ in range(dice.randrange(5)))


async def read_through(field: Field, url: str, lengths: list[int], **extensions: int) -> None:
    async with field.client.stream("GET", url, extensions=extensions) as response:
        async for piece in response.aiter_raw():
            lengths.append(len(piece))


@pytest.mark.parametrize("codec", CODECS)
def test_any_split_gives_the_same_bytes_in_small_pieces(codec: str) -> None:
    dice = random.Random(1)

    for _ in range(60):
        body = random_body(dice)
        coded = CODECS[codec](body)
        decoder = new_decoder(codec)
        pieces: list[bytes] = []
        while coded:
            length = dice.choice([1, 7, 100, 65_536, MEGABYTE])
            pieces += decoder.feed(coded[:length])
            coded = coded[length:]
        assert (b"".join(pieces), decoder.is_finished) == (body, True)
        assert all(0 < len(piece) <= CHUNK_BYTES for piece in pieces)


@pytest.mark.parametrize("codec", CODECS)
def test_a_stream_cut_anywhere_is_not_finished(codec: str) -> None:
    coded = CODECS[codec](random.Random(2).randbytes(500) + bytes(500))

    for end in range(1, len(coded)):
        decoder = new_decoder(codec)
        list(decoder.feed(coded[:end]))
        assert not decoder.is_finished, f"cut at {end} of {len(coded)}"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_gzip_members_one_after_the_other_are_one_body(size: int) -> None:
    coded = gzip.compress(b"one ") + gzip.compress(b"two") + b"\x00\x00padding"
    decoder = new_decoder("gzip")

    pieces = [piece for start in range(0, len(coded), size) for piece in decoder.feed(coded[start : start + size])]

    assert (b"".join(pieces), decoder.is_finished) == (b"one two", True)


def test_zstd_frames_one_after_the_other_are_one_body() -> None:
    decoder = new_decoder("zstd")

    pieces = list(decoder.feed(CODECS["zstd"](b"one ") + CODECS["zstd"](b"two")))

    assert (b"".join(pieces), decoder.is_finished) == (b"one two", True)


def test_more_than_one_coding_is_refused() -> None:
    with pytest.raises(ValueError, match="gzip, br"):
        decoder_for(codings_of(["gzip", "identity, BR"]))


@pytest.mark.parametrize("codec", CODECS)
async def test_a_coded_page_arrives_decoded(field: Field, codec: str) -> None:
    response = await field.client.get(field.server.url(f"coded/{codec}"))

    assert response.content == PAGE
    assert "content-encoding" not in response.headers
    assert response.extensions["content_encoding"] == coding_name(codec)


async def test_raw_mode_gives_the_bytes_of_the_wire(field: Field) -> None:
    response = await field.client.get(field.server.url("coded/deflate"), extensions={"raw": True})

    assert (response.content, response.extensions["content_encoding"]) == (zlib.compress(PAGE), "deflate")


async def test_a_word_that_is_no_coding_is_passed_through(field: Field) -> None:
    response = await field.client.get(field.server.url("wrong-coded"))

    assert response.content == PAGE


@pytest.mark.parametrize("codec", CODECS)
async def test_a_bomb_ends_at_the_limit_with_little_memory(field: Field, codec: str) -> None:
    url = field.server.url(f"bomb/{codec}/100")
    bomb(codec, 100)
    lengths: list[int] = []

    tracemalloc.start()
    with pytest.raises(DecompressionLimit) as caught:
        await read_through(field, url, lengths)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert error_name(caught.value) == "DECOMPRESSION_LIMIT"
    assert max(lengths) <= CHUNK_BYTES
    assert 31 * MEGABYTE < sum(lengths) <= 32 * MEGABYTE
    assert peak < MAX_GROWTH_BYTES


@pytest.mark.parametrize("path", ["announce-2gb", "stream-for-ever"])
async def test_two_gigabytes_end_at_the_limit_with_little_memory(field: Field, path: str) -> None:
    tracemalloc.start()
    with pytest.raises(TooLarge):
        await read_through(field, field.server.url(path), [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < MAX_GROWTH_BYTES


async def test_a_large_body_is_streamed_in_little_memory(field: Field) -> None:
    url = field.server.url(f"zeroes/{64 * 16}")
    lengths: list[int] = []

    tracemalloc.start()
    await read_through(field, url, lengths, max_body_bytes=1 << 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(lengths) == 64 * MEGABYTE
    assert peak < MAX_GROWTH_BYTES
    assert (await field.client.get(field.server.url("ok"))).extensions["reused"] is True
