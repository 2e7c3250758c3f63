import asyncio
import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database, settle, writes_counted
from backend.domain.errors import TaskFailedError
from backend.domain.generation import Artifact
from backend.domain.task import Lease
from backend.store.artifact_files import ArtifactFiles
from backend.store.artifacts import ArtifactStore

LEASE = Lease("t_1", "w_1", 1)


class MovableClock(Clock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(
    database: Database, root: Path, clock: MovableClock, io_loop: tornado.ioloop.IOLoop
) -> Iterator[ArtifactStore]:
    made = ArtifactStore(database, root, clock)
    io_loop.run_sync(made.ensure_indexes)
    yield made
    io_loop.run_sync(made.close)
    assert not files_in(root / "parts")


def files_in(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


async def adopt(
    store: ArtifactStore, content: bytes = b"film", *, lease: Lease = LEASE, name: str = "clip.mp4", **changes: Any
) -> Artifact:
    async with store.part(".mp4") as part:
        part.write_bytes(content)
        facts = {"role": "output", "media_type": "video/mp4", **changes}
        return await store.adopt(lease, part, task_id=lease.task_id, name=name, **facts)


async def write_and_fail(store: ArtifactStore, error: Exception) -> None:
    async with store.part(".mp4") as part:
        part.write_bytes(b"half")
        assert store.part_files() == 1
        raise error


async def test_adopted_part_is_kept_by_its_content(store: ArtifactStore, root: Path) -> None:
    sha256 = hashlib.sha256(b"film").hexdigest()

    artifact = await adopt(store)

    assert (artifact.sha256, artifact.size_bytes) == (sha256, 4)
    assert store.path_of(artifact) == root / "artifacts" / sha256[:2] / sha256[2:]
    assert store.path_of(artifact).read_bytes() == b"film"


async def test_artifact_reads_back_as_it_was_adopted(store: ArtifactStore) -> None:
    facts: dict[str, Any] = {"width": 1280, "height": 720, "duration_s": 6.5, "fps": 30.0, "poster_id": "a_2"}

    artifact = await adopt(store, **facts)

    assert await store.get(artifact.artifact_id) == artifact
    assert {name: getattr(artifact, name) for name in facts} == facts


async def test_unknown_artifact_is_none(store: ArtifactStore) -> None:
    assert await store.get("a_none") is None


async def test_content_larger_than_one_step_is_hashed_whole(store: ArtifactStore) -> None:
    content = os.urandom(9_000_001)

    artifact = await adopt(store, content)

    assert (artifact.sha256, artifact.size_bytes) == (hashlib.sha256(content).hexdigest(), 9_000_001)


async def test_part_that_is_not_adopted_is_removed(store: ArtifactStore, root: Path) -> None:
    with pytest.raises(ValueError, match="stop"):
        await write_and_fail(store, ValueError("stop"))

    assert store.part_files() == 0


async def test_work_folder_is_removed_with_all_it_holds(store: ArtifactStore) -> None:
    async with store.work_folder() as folder:
        (folder / "card.png").write_bytes(b"x")
        assert store.part_files() == 1

    assert not folder.exists()


async def test_resumed_task_stores_nothing_twice(store: ArtifactStore) -> None:
    first = await adopt(store)

    second = await adopt(store, lease=Lease("t_1", "w_2", 2))

    assert second == first
    assert await store.of_task("t_1") == [first]


async def test_two_tasks_with_one_content_share_its_file(store: ArtifactStore, root: Path) -> None:
    one = await adopt(store)
    two = await adopt(store, lease=Lease("t_2", "w_1", 1))

    assert one.artifact_id != two.artifact_id
    assert len(files_in(root / "artifacts")) == 1


async def test_two_adopts_of_one_content_at_once_both_succeed(store: ArtifactStore) -> None:
    one, two = await asyncio.gather(adopt(store), adopt(store))

    assert one == two


async def test_output_of_a_lost_run_is_superseded_by_the_next_owners(store: ArtifactStore) -> None:
    await adopt(store, b"by the zombie", lease=Lease("t_1", "w_1", 1))
    mine = await adopt(store, b"by the owner", lease=Lease("t_1", "w_2", 2))

    assert await store.of_task("t_1") == [mine]


async def test_pictures_of_one_name_are_all_kept(store: ArtifactStore) -> None:
    one = await adopt(store, b"1", name="a.jpg", role="media", media_type="image/jpeg")
    two = await adopt(store, b"2", name="a.jpg", role="media", media_type="image/jpeg", lease=Lease("t_1", "w_2", 2))

    assert {each.artifact_id for each in await store.of_task("t_1")} == {one.artifact_id, two.artifact_id}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\露营.mp4", "露营.mp4"),
        ("a\r\nb.mp4", "ab.mp4"),
        ("..", "file"),
        ("长" * 300 + ".mp4", "长" * 116 + ".mp4"),
    ],
)
async def test_name_is_never_a_path(store: ArtifactStore, root: Path, name: str, kept: str) -> None:
    artifact = await adopt(store, name=name)

    assert artifact.name == kept
    assert store.path_of(artifact).is_relative_to(root / "artifacts")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_full_disk_has_its_name(store: ArtifactStore, code: int) -> None:
    with pytest.raises(TaskFailedError) as caught:
        await write_and_fail(store, OSError(code, os.strerror(code)))

    assert caught.value.error_name == "DISK_FULL"
    assert store.part_files() == 0


async def test_other_errors_of_the_system_pass(store: ArtifactStore) -> None:
    with pytest.raises(FileNotFoundError):
        async with store.part(".mp4") as part:
            await store.adopt(LEASE, part, task_id="t_1", name="a.mp4", role="output", media_type="video/mp4")


async def adopt_from_work_folder(store: ArtifactStore, content: bytes, *, lease: Lease) -> Artifact:
    async with store.work_folder() as folder:
        file = folder / "clip.mp4"
        file.write_bytes(content)
        (folder / "card.rgb").write_bytes(b"x")
        return await store.adopt(
            lease, file, task_id=lease.task_id, name="clip.mp4", role="output", media_type="video/mp4"
        )


async def turns_of(task: asyncio.Task[Any], at_most: int | None = None) -> int:
    """Let the loop turn until the task is done, or so many times; return how often it turned."""
    turns = 0
    while not task.done() and turns != at_most:
        await asyncio.sleep(0)
        turns += 1
    return turns


@pytest.mark.parametrize("adopting", [adopt, adopt_from_work_folder])
async def test_cancel_at_any_moment_stores_all_or_nothing(
    store: ArtifactStore, adopting: Callable[..., Coroutine[Any, Any, Artifact]]
) -> None:
    moments = 60
    whole = await turns_of(asyncio.create_task(adopting(store, b"whole", lease=LEASE)))
    stored_counts = set()
    for number in range(moments):
        writes: set[asyncio.Future[Any]] = set()
        lease = Lease(f"t_at_{number}", "w_1", 1)
        content = str(lease).encode()

        with writes_counted(writes):
            task = asyncio.create_task(adopting(store, content, lease=lease))
        await turns_of(task, at_most=number * whole // moments)
        task.cancel()
        await asyncio.wait({task})
        await settle(writes)

        stored = await store.of_task(lease.task_id)
        stored_counts.add(len(stored))
        assert task.cancelled() or task.exception() is None
        assert [store.path_of(one).read_bytes() for one in stored] == [content] * len(stored)
        assert store.part_files() == 0
    assert stored_counts <= {0, 1}


async def test_delete_removes_records_and_old_files(store: ArtifactStore, root: Path, clock: MovableClock) -> None:
    await adopt(store)
    clock.ahead = timedelta(hours=2)

    assert await store.delete_of("t_1") == 1

    assert await store.of_task("t_1") == []
    assert not files_in(root / "artifacts")


async def test_file_another_task_names_stays(store: ArtifactStore, clock: MovableClock) -> None:
    await adopt(store)
    other = await adopt(store, lease=Lease("t_2", "w_1", 1))
    clock.ahead = timedelta(hours=2)

    await store.delete_of("t_1")

    assert store.path_of(other).read_bytes() == b"film"


async def test_file_linked_within_the_hour_stays_until_a_sweep(
    store: ArtifactStore, root: Path, clock: MovableClock
) -> None:
    await adopt(store)
    await store.delete_of("t_1")
    assert len(files_in(root / "artifacts")) == 1
    clock.ahead = timedelta(hours=2)

    removed = sum([await store.sweep_files() for _ in range(256)])

    assert removed == 1
    assert not files_in(root / "artifacts")


async def test_linking_again_spares_a_file_for_another_hour(
    store: ArtifactStore, root: Path, clock: MovableClock
) -> None:
    await adopt(store)
    clock.ahead = timedelta(hours=2)
    await adopt(store, lease=Lease("t_2", "w_1", 1))

    await store.delete_of("t_1")
    await store.delete_of("t_2")

    assert len(files_in(root / "artifacts")) == 1


async def test_sweep_leaves_named_files_alone(store: ArtifactStore, root: Path, clock: MovableClock) -> None:
    await adopt(store)
    clock.ahead = timedelta(hours=2)

    removed = sum([await store.sweep_files() for _ in range(256)])

    assert removed == 0
    assert len(files_in(root / "artifacts")) == 1


def leave_a_part(root: Path) -> None:
    program = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from backend.store.artifact_files import ArtifactFiles\n"
        "with ArtifactFiles(Path(sys.argv[1])).part('.mp4') as part:\n"
        "    part.write_bytes(b'half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(root)], cwd=Path.cwd(), check=False).returncode == 9


async def test_parts_of_a_killed_process_are_swept_at_the_next_start(store: ArtifactStore, root: Path) -> None:
    leave_a_part(root)

    assert await store.sweep_parts() == 1

    assert not files_in(root / "parts")


async def test_parts_of_a_living_process_are_left_alone(store: ArtifactStore, database: Database, root: Path) -> None:
    async with store.part(".mp4") as part:
        part.write_bytes(b"half")
        other = ArtifactStore(database, root, Clock())

        assert await other.sweep_parts() == 0
        assert part.exists()


def test_servers_that_start_at_once_on_one_folder_sweep_it_together(root: Path) -> None:
    for number in range(60):
        dead = root / "parts" / f"{number:012x}"
        dead.mkdir(parents=True)
        dead.with_suffix(".lock").touch()
        for part in range(3):
            (dead / f"{part}.mp4.part").write_bytes(b"half")
    together = threading.Barrier(4)

    def start(_: int) -> None:
        files = ArtifactFiles(root)
        together.wait()
        files.sweep_parts()

    with ThreadPoolExecutor(4) as servers:
        list(servers.map(start, range(4)))

    assert list((root / "parts").iterdir()) == []


@pytest.mark.parametrize("wrong", [lambda store: store.part("../x"), lambda store: store.part("")])
async def test_suffix_cannot_leave_the_folder(store: ArtifactStore, wrong: Callable[[ArtifactStore], Any]) -> None:
    with pytest.raises(ValueError, match="not a suffix"):
        async with wrong(store):
            pass
