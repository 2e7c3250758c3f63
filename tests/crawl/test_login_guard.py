"""No task is spent on a login that is known to have ended, and what a task finds out is noted."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.secrets import open_box
from backend.crawl.login_guard import AccountSessions, GuardedPlatform, LoginGuard
from backend.domain.account import Account, AuthState
from backend.domain.errors import NeedsPersonError, NotFoundError
from backend.domain.task import Ending, HistoryEntry, Lease, Task
from backend.domain.text import Text
from backend.store.accounts import AccountStore, Login
from tests.fixtures.bare_context import BareContext, crawl_task
from tests.fixtures.logins import SECRET, a_session
from tests.fixtures.scripted import DONE


class Inner:
    """An execution that ends as a test says."""

    def __init__(self, outcome: Ending | Exception) -> None:
        self.outcome = outcome
        self.runs = 0

    def begin(self, context: Any, tools: Any) -> "Inner":
        return self

    async def run(self) -> Ending:
        self.runs += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def store(database: Database, clock: Clock, tmp_path: Path, io_loop: tornado.ioloop.IOLoop) -> AccountStore:
    made = AccountStore(database, clock=clock, box=open_box(tmp_path, has_sealed=False))
    io_loop.run_sync(made.ensure_indexes)
    return made


@pytest.fixture
def account(store: AccountStore, io_loop: tornado.ioloop.IOLoop) -> Account:
    cookie = a_session()
    made: Account = io_loop.run_sync(
        lambda: store.create("xhs", "a", by="local", login=Login([cookie], None, SECRET), state=AuthState.OK)
    )
    return made


async def run(store: AccountStore, clock: Clock, inner: Inner, task: Task | None = None) -> Ending:
    task = task or crawl_task("xhs", "search", {})
    context = BareContext(task, Lease(task.task_id, "w_1", 1))
    platform = GuardedPlatform(inner, LoginGuard(store, clock=clock))  # type: ignore[arg-type]
    return await platform.begin(context, None).run()  # type: ignore[arg-type]


@pytest.mark.parametrize("params", [{}, {"account": "default"}, {"account": "a"}])
async def test_a_task_waits_without_being_begun_when_the_login_has_ended(
    store: AccountStore, clock: Clock, account: Account, params: dict[str, str]
) -> None:
    await store.note_state(account.account_id, AuthState.EXPIRED)
    inner = Inner(DONE)

    with pytest.raises(NeedsPersonError) as caught:
        await run(store, clock, inner, crawl_task("xhs", "search", params))

    assert (caught.value.code, inner.runs) == ("NEEDS_LOGIN", 0)


async def test_a_session_past_its_end_is_noticed_before_the_task_begins(
    store: AccountStore, clock: Clock, account: Account
) -> None:
    await store.note_state(account.account_id, AuthState.OK, expires_at=clock.now() - timedelta(seconds=1))
    inner = Inner(DONE)

    with pytest.raises(NeedsPersonError):
        await run(store, clock, inner)

    assert inner.runs == 0


async def test_a_task_that_a_person_resumed_since_goes_ahead(
    store: AccountStore, clock: Clock, account: Account
) -> None:
    await store.note_state(account.account_id, AuthState.EXPIRED)
    task = crawl_task("xhs", "search", {})
    resumed = HistoryEntry(clock.now() + timedelta(seconds=1), "waiting", "pending", "resumed", 0, by="local")

    await run(store, clock, Inner(DONE), replace(task, history=(resumed,)))

    assert (await store.get(account.account_id)).state is AuthState.UNKNOWN


async def test_a_task_that_meets_the_login_page_tells_the_next_ones(
    store: AccountStore, clock: Clock, account: Account
) -> None:
    wall = NeedsPersonError("NEEDS_LOGIN", Text("要求登录", "asks for a login"))

    with pytest.raises(NeedsPersonError):
        await run(store, clock, Inner(wall))

    assert (await store.get(account.account_id)).state is AuthState.EXPIRED


async def test_a_captcha_says_nothing_of_the_login(store: AccountStore, clock: Clock, account: Account) -> None:
    with pytest.raises(NeedsPersonError):
        await run(store, clock, Inner(NeedsPersonError("NEEDS_CAPTCHA", Text("验证", "captcha"))))

    assert (await store.get(account.account_id)).state is AuthState.OK


async def test_without_accounts_every_task_is_let_in(store: AccountStore, clock: Clock) -> None:
    assert await run(store, clock, Inner(DONE)) is DONE


async def test_a_browser_is_found_by_id_label_and_default(store: AccountStore, account: Account) -> None:
    sessions = AccountSessions(store)

    found = [await sessions.session_of("xhs", name) for name in (account.account_id, "a", "default")]

    assert {(one.profile, one.version, len(one.cookies)) for one in found} == {("default", 1, 1)}
    with pytest.raises(NotFoundError):
        await sessions.session_of("xhs", "nobody")


async def test_a_session_that_cannot_be_opened_leaves_the_profile_its_own(
    store: AccountStore, database: Database, clock: Clock, tmp_path: Path, account: Account
) -> None:
    elsewhere = AccountStore(database, clock=clock, box=open_box(tmp_path / "other", has_sealed=False))

    session = await AccountSessions(elsewhere).session_of("xhs", "default")

    assert (session.profile, session.cookies) == ("default", ())
