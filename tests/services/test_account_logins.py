"""Logins under way: one for each account, ended when nobody looks, and nothing left of them."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import NetworkPolicy
from backend.core.logs import captured_log
from backend.core.secrets import open_box
from backend.crawl.browser import BrowserOptions, Browsers
from backend.crawl.login import LoggedIn, Shown
from backend.domain.account import Account, AuthState
from backend.domain.errors import BusyError, StateConflictError, TaskFailedError
from backend.domain.text import Text
from backend.services.account_logins import Login, LoginDesk, LoginLimits, LoginState
from backend.store.accounts import AccountStore
from tests.fixtures.logins import SECRET, ScriptedVisit, plain_flow

CRASH = TaskFailedError("BROWSER_NOT_CONNECTED", Text("浏览器意外退出", "crashed"), where="fetch", can_retry=True)


class Desk:
    """A desk whose visits are scripted, over the real store."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self.store = AccountStore(database, clock=clock, box=open_box(folder, has_sealed=False))
        policy = NetworkPolicy()
        self.browsers = Browsers(BrowserOptions(mode="off"), folder=folder / "browser", policy=policy)
        self.visit = ScriptedVisit()
        self.clock = clock
        self.desk = self.made(LoginLimits())

    def made(self, limits: LoginLimits) -> LoginDesk:
        flows = {"xhs": plain_flow(), "y": plain_flow(), "z": plain_flow(), "w": plain_flow()}
        self.desk = LoginDesk(
            *(flows, self.browsers),
            clock=self.clock,
            keep=self.keep,
            limits=limits,
            visit=self.visit.make,  # type: ignore[arg-type]
        )
        return self.desk

    async def keep(self, login: Login, found: LoggedIn) -> Account:
        return await self.store.create(login.platform, login.label, by=login.by, state=AuthState.OK)

    def open(self, platform: str = "xhs") -> Login:
        return self.desk.open(platform, None, label="我的号", by="local")

    async def until_waiting(self, platform: str = "xhs") -> Login:
        login = self.open(platform)
        await self.visit.is_waiting.wait()
        return login


@pytest.fixture
def desk(database: Database, clock: Clock, tmp_path: Path, io_loop: tornado.ioloop.IOLoop) -> Iterator[Desk]:
    made = Desk(database, clock, tmp_path)
    io_loop.run_sync(made.store.ensure_indexes)
    yield made
    io_loop.run_sync(made.desk.stop)
    assert made.visit.opened == made.visit.closed


async def seen(desk: Desk, login: Login) -> list[tuple[str, bytes | None]]:
    async with aclosing(desk.desk.follow(login)) as changes:
        return [
            (one.state.value, None if one.picture is None else one.picture.picture)
            async for one in changes
            if one is not None
        ]


async def test_a_login_shows_its_code_then_its_end_and_keeps_the_account(desk: Desk) -> None:
    login = await desk.until_waiting()
    following = asyncio.create_task(seen(desk, login))
    await asyncio.sleep(0)
    desk.visit.go_on.set()

    frames = await following

    assert frames == [("waiting", b"\x89PNG1"), ("done", None)]
    assert [one.label for one in await desk.store.list()] == ["我的号"]


async def test_a_second_login_of_the_account_is_refused_and_the_first_goes_on(desk: Desk) -> None:
    login = await desk.until_waiting()

    with pytest.raises(StateConflictError):
        desk.open()

    assert login.state is LoginState.WAITING
    assert desk.visit.opened == 1


async def test_more_than_three_at_once_are_refused(desk: Desk) -> None:
    for platform in ("xhs", "y", "z"):
        desk.open(platform)

    with pytest.raises(BusyError):
        desk.open("w")


async def test_a_cancelled_login_leaves_nothing(desk: Desk) -> None:
    login = await desk.until_waiting()

    await desk.desk.cancel(login)

    assert login.state is LoginState.CANCELLED
    assert login.picture is None
    assert (desk.visit.opened, desk.visit.closed, desk.desk.live()) == (1, 1, 0)
    assert await desk.store.list() == []


async def test_one_cancelled_before_its_first_step_is_over_too(desk: Desk) -> None:
    login = desk.open()

    await desk.desk.cancel(login)

    assert login.is_over
    assert desk.visit.opened == 0


async def test_a_login_that_nobody_looks_at_is_ended(desk: Desk) -> None:
    desk.made(replace(LoginLimits(), unseen_s=0.05))
    login = await desk.until_waiting()
    assert login.task is not None

    await asyncio.wait({login.task}, timeout=30)

    assert login.state is LoginState.CANCELLED


async def test_the_last_reader_to_leave_ends_it(desk: Desk) -> None:
    login = await desk.until_waiting()
    desk.desk._limits = replace(LoginLimits(), unseen_s=0.05)
    async with aclosing(desk.desk.follow(login)) as changes:
        await anext(changes)
        await asyncio.sleep(0.2)
        assert not login.is_over
    assert login.task is not None

    await asyncio.wait({login.task}, timeout=30)

    assert login.state is LoginState.CANCELLED


async def test_a_login_ends_after_its_time(desk: Desk) -> None:
    desk.made(replace(LoginLimits(), total_s=0.05))
    login = await desk.until_waiting()

    assert (await seen(desk, login))[-1] == ("timed_out", None)


async def test_a_browser_that_crashes_is_named(desk: Desk) -> None:
    desk.visit.error = CRASH
    desk.visit.go_on.set()
    login = desk.open()

    frames = await seen(desk, login)

    assert frames[-1][0] == "failed"
    assert (login.error_name, login.error) == ("BROWSER_NOT_CONNECTED", CRASH)


async def test_an_error_nobody_foresaw_is_logged_and_ends_it(desk: Desk) -> None:
    async def break_it(login: Login, found: LoggedIn) -> Account:
        raise ZeroDivisionError

    desk.desk._keep = break_it
    desk.visit.go_on.set()
    with captured_log() as lines:
        login = desk.open()
        frames = await seen(desk, login)
        assert login.task is not None
        await asyncio.wait({login.task})

    assert frames[-1][0] == "failed"
    assert any("ZeroDivisionError" in line for line in lines)


async def test_what_a_login_logs_has_neither_code_nor_session(desk: Desk) -> None:
    desk.visit.pictures = [Shown("qr", b"\x89PNG-picture-of-a-code")]
    desk.visit.go_on.set()
    with captured_log() as lines:
        await seen(desk, desk.open())

    said = "\n".join(lines)
    assert "登录开始" in said
    assert "登录结束" in said
    assert SECRET not in said
    assert "PNG" not in said


async def test_the_end_can_be_read_for_a_while(desk: Desk) -> None:
    desk.visit.go_on.set()
    login = desk.open()
    await seen(desk, login)

    assert desk.desk.of("xhs", "default") is login
    assert await seen(desk, login) == [("done", None)]
