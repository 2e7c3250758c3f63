from dataclasses import replace
from typing import Any

import pytest

from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import LeaseLostError
from backend.domain.task import Books, Notice, Stage, Task, TaskKind, TaskStatus
from backend.domain.text import Text
from backend.store.challenges import ChallengeStore
from backend.store.task_changes import Unannounced
from tests.fixtures.pictures import JPEG, png
from tests.fixtures.task_desk import DONE, LEASE_S, Desk, lease_of

SCAN = Challenge(ChallengeKind.QR, screenshot=JPEG, qr=png(), page_url="https://www.example.org/login")
NEEDED = Notice("NEEDS_LOGIN", Text("需要扫码登录", "Scan"), Text("请扫描", "Scan it"))


class Heard(Unannounced):
    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def changed(self, document: dict[str, Any]) -> None:
        self.documents.append(document)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def challenges(desk: Desk, heard: Heard) -> ChallengeStore:
    return ChallengeStore(desk.store._db, clock=desk.clock, announcer=heard)


async def shown(desk: Desk, challenges: ChallengeStore, challenge: Challenge = SCAN) -> Task:
    task = await desk.claimed()
    await challenges.show(lease_of(task), challenge, notice=NEEDED, since=desk.clock.now())
    return await desk.read()


async def count(desk: Desk) -> int:
    return int(await desk.store._db.do(desk.store._db.collection("challenges").count_documents({})))


async def test_running_task_says_that_a_person_is_needed_and_of_what(desk: Desk, challenges: ChallengeStore) -> None:
    task = await shown(desk, challenges)

    assert (task.status, task.progress.stage, task.notice) == (TaskStatus.RUNNING, Stage.NEEDS_PERSON, NEEDED)
    assert task.message == NEEDED.message
    found = await challenges.of(task)
    assert found is not None
    assert (found.kind, found.page_url, found.since) == (ChallengeKind.QR, SCAN.page_url, desk.clock.now())


async def test_pictures_come_back_byte_by_byte(desk: Desk, challenges: ChallengeStore) -> None:
    task = await shown(desk, challenges)

    assert await challenges.picture(task, "screenshot") == JPEG
    assert await challenges.picture(task, "qr") == SCAN.qr


async def test_picture_that_was_not_taken_is_none(desk: Desk, challenges: ChallengeStore) -> None:
    task = await shown(desk, challenges, replace(SCAN, qr=None))

    found = await challenges.of(task)

    assert found is not None
    assert found.qr_tag is None
    assert await challenges.picture(task, "qr") is None


async def test_every_showing_raises_the_version_and_is_announced(
    desk: Desk, challenges: ChallengeStore, heard: Heard
) -> None:
    task = await shown(desk, challenges)
    first = await challenges.of(task)

    await challenges.show(lease_of(task), replace(SCAN, qr=png(grey=9)), notice=NEEDED, since=desk.clock.now())

    assert [one["version"] for one in heard.documents] == [task.version, task.version + 1]
    second = await challenges.of(await desk.read())
    assert first is not None
    assert second is not None
    assert first.qr_tag != second.qr_tag


async def test_solved_challenge_leaves_nothing_and_the_task_goes_on_where_it_was(
    desk: Desk, challenges: ChallengeStore, heard: Heard
) -> None:
    task = await shown(desk, challenges)

    await challenges.close(lease_of(task), TaskKind.CRAWL, stage=Stage.FETCH)

    after = await desk.read()
    assert (after.progress.stage, after.notice, after.message) == (Stage.FETCH, None, Text("正在抓取", "Crawling"))
    assert heard.documents[-1]["version"] == after.version
    assert await count(desk) == 0


async def test_waiting_task_shows_what_was_put_before(desk: Desk, challenges: ChallengeStore) -> None:
    task = await desk.claimed()

    await challenges.put(lease_of(task), SCAN, since=desk.clock.now())
    await desk.store.wait(task, lease_of(task), notice=NEEDED, books=Books())

    assert await challenges.of(await desk.read()) is not None


@pytest.mark.parametrize("way", ["resume", "drain", "reap", "finish", "cancel"])
async def test_nothing_is_shown_once_the_task_went_on(desk: Desk, challenges: ChallengeStore, way: str) -> None:
    task = await shown(desk, challenges)
    lease = lease_of(task)
    match way:
        case "resume":
            await desk.store.wait(task, lease, notice=NEEDED, books=Books())
            await desk.store.resume_waiting("t_1", by="li")
        case "drain":
            await desk.store.give_back(task, lease, reason="drain", run_at=task.run_at, books=Books())
        case "reap":
            desk.clock.advance(LEASE_S + 1)
            await desk.store.reap(task, even_if_alive=False)
        case "finish":
            await desk.store.finish(task, lease, DONE, books=Books())
        case "cancel":
            await desk.cancel()

    after = await desk.read()
    assert after.notice is None
    assert await challenges.of(after) is None
    assert await challenges.picture(after, "qr") is None


async def test_next_run_does_not_show_what_the_one_before_it_did(desk: Desk, challenges: ChallengeStore) -> None:
    task = await shown(desk, challenges)
    desk.clock.advance(LEASE_S + 1)
    await desk.store.reap(task, even_if_alive=False)
    after = await desk.claimed(await desk.read(), worker_id="w-2", claim_id="c2")

    assert await challenges.of(after) is None

    await challenges.drop("t_1", fence=after.fence - 1)
    assert await count(desk) == 0


async def test_zombie_neither_replaces_nor_removes_what_a_later_run_shows(
    desk: Desk, challenges: ChallengeStore
) -> None:
    task = await shown(desk, challenges)
    zombie = lease_of(task)
    desk.clock.advance(LEASE_S + 1)
    await desk.store.reap(task, even_if_alive=False)
    after = await desk.claimed(await desk.read(), worker_id="w-2", claim_id="c2")
    await challenges.show(lease_of(after), replace(SCAN, qr=None), notice=NEEDED, since=desk.clock.now())

    with pytest.raises(LeaseLostError):
        await challenges.show(zombie, SCAN, notice=NEEDED, since=desk.clock.now())
    await challenges.drop("t_1", fence=zombie.fence)

    found = await challenges.of(await desk.read())
    assert found is not None
    assert found.qr_tag is None


async def test_zombie_that_comes_first_leaves_nothing(desk: Desk, challenges: ChallengeStore) -> None:
    task = await desk.claimed()
    desk.clock.advance(LEASE_S + 1)
    await desk.store.reap(task, even_if_alive=False)

    with pytest.raises(LeaseLostError):
        await challenges.show(lease_of(task), SCAN, notice=NEEDED, since=desk.clock.now())

    assert await count(desk) == 0
    assert (await desk.read()).progress.stage is Stage.QUEUED


async def test_task_that_is_being_cancelled_keeps_its_own_words(desk: Desk, challenges: ChallengeStore) -> None:
    task = await desk.claimed()
    await desk.cancel()

    await challenges.show(lease_of(task), SCAN, notice=NEEDED, since=desk.clock.now())
    await challenges.close(lease_of(task), TaskKind.CRAWL, stage=Stage.FETCH)

    after = await desk.read()
    assert (after.status, after.notice, after.message) == (TaskStatus.CANCELLING, None, Text("正在取消", "Cancelling"))


@pytest.mark.parametrize(("state", "stays"), [("running", 1), ("cancelling", 1), ("waiting", 1), ("pending", 0)])
async def test_sweep_removes_what_is_shown_nowhere(
    desk: Desk, challenges: ChallengeStore, state: str, stays: int
) -> None:
    task = await shown(desk, challenges)
    if state == "cancelling":
        await desk.cancel()
    if state in {"waiting", "pending"}:
        await desk.store.wait(task, lease_of(task), notice=NEEDED, books=Books())
    if state == "pending":
        await desk.store.resume_waiting("t_1", by="li")

    assert await challenges.sweep() == 1 - stays

    assert await count(desk) == stays


async def test_sweep_comes_round_to_every_challenge(desk: Desk, challenges: ChallengeStore) -> None:
    for number in range(5):
        task = await desk.claimed(await desk.made(f"t_{number}"), claim_id=f"c{number}")
        await challenges.put(lease_of(task), SCAN, since=desk.clock.now())
    last = await desk.read("t_4")
    await desk.store.give_back(last, lease_of(last), reason="drain", run_at=last.run_at, books=Books())

    gone = [await challenges.sweep(limit=2) for _ in range(3)]

    assert (gone, await count(desk)) == ([0, 0, 1], 4)


async def test_purge_removes_it_with_the_task(desk: Desk, challenges: ChallengeStore) -> None:
    await shown(desk, challenges)

    assert await challenges.delete_of("t_1") == 1

    assert await count(desk) == 0
