"""The stand-in is held to the vendor's own client: what zai-sdk sends it understands, what it answers the SDK reads."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import tornado.ioloop
import zai.core
from zai import ZhipuAiClient

from tests.fixtures.cogvideox_server import CogVideoXServer

T = TypeVar("T")
KEY = "0123abcd.s3cretS3cretS3cret"


@pytest.fixture
def server(io_loop: tornado.ioloop.IOLoop) -> Iterator[CogVideoXServer]:
    made = CogVideoXServer(api_key=KEY)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


async def with_sdk(server: CogVideoXServer, work: Callable[[ZhipuAiClient], T], *, retries: int = 0) -> T:
    """The SDK is synchronous: it runs in a thread, and the server on the loop."""

    def call() -> T:
        client = ZhipuAiClient(api_key=KEY, base_url=server.base_url, max_retries=retries)
        try:
            return work(client)
        finally:
            client.close()  # type: ignore[no-untyped-call]

    return await asyncio.to_thread(call)


async def test_the_sdk_submits_polls_and_reads_the_result(server: CogVideoXServer) -> None:
    def work(client: ZhipuAiClient) -> list[str]:
        taken = client.videos.generations(model="cogvideox-flash", prompt="a cat", request_id="k-1", with_audio=True)
        first = client.videos.retrieve_videos_result(id=taken.id or "")
        second = client.videos.retrieve_videos_result(id=taken.id or "")
        return [taken.task_status, first.task_status, second.task_status, second.video_result[0].url]

    *words, url = await with_sdk(server, work)

    assert words == ["PROCESSING", "PROCESSING", "SUCCESS"]
    assert url.startswith(f"{server.origin}/files/")
    assert server.accepted == {"k-1": 1}


async def test_the_nulls_the_sdk_sends_are_absent_values(server: CogVideoXServer) -> None:
    await with_sdk(server, lambda client: client.videos.generations(model="cogvideox-2", prompt="a", request_id="k-1"))

    assert server.bodies == [{"model": "cogvideox-2", "prompt": "a", "request_id": "k-1"}]


async def test_the_sdk_reads_a_refusal_and_its_code(server: CogVideoXServer) -> None:
    server.plan("submit", "refuse", status=429, code="1113", message="账户已欠费")

    with pytest.raises(zai.core.APIReachLimitError, match="1113"):
        await with_sdk(server, lambda client: client.videos.generations(model="cogvideox-flash", prompt="a"))


async def test_a_second_submit_of_one_key_is_refused_to_the_sdk_too(server: CogVideoXServer) -> None:
    def work(client: ZhipuAiClient) -> None:
        for _ in range(2):
            client.videos.generations(model="cogvideox-flash", prompt="a", request_id="k-1")

    with pytest.raises(zai.core.APIRequestFailedError, match="1231"):
        await with_sdk(server, work)
    assert server.accepted == {"k-1": 1}


async def test_the_sdk_repeats_a_paid_submit_by_itself_which_is_why_we_do_not_use_it(server: CogVideoXServer) -> None:
    server.plan("submit", "refuse", times=2, status=429, code="1302")

    await with_sdk(
        server,
        lambda client: client.videos.generations(model="cogvideox-flash", prompt="a", request_id="k-1"),
        retries=2,
    )

    assert server.sent == {"k-1": 3}
