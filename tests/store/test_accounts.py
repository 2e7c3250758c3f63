import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop
from bson import json_util

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.secrets import open_box
from backend.domain.account import AuthState
from backend.domain.errors import NameTakenError, NotFoundError, SecretsKeyError
from backend.store.accounts import AccountStore, Login, has_sealed
from tests.fixtures.logins import SECRET, a_session


@pytest.fixture
def store(database: Database, clock: Clock, tmp_path: Path, io_loop: tornado.ioloop.IOLoop) -> AccountStore:
    made = AccountStore(database, clock=clock, box=open_box(tmp_path, has_sealed=False))
    io_loop.run_sync(made.ensure_indexes)
    return made


def a_login(value: str = SECRET) -> Login:
    cookie = a_session(value)
    return Login([cookie], cookie.expires_at, value)


async def dump_of(database: Database) -> str:
    rows: list[Any] = await database.do(database.collection("accounts").find({}).to_list(None))
    return json.dumps(rows, default=json_util.default)


async def test_what_is_stored_of_a_session_opens_again_and_stands_nowhere(
    store: AccountStore, database: Database
) -> None:
    made = await store.create("xhs", "我的号", by="local", login=a_login(), state=AuthState.UNKNOWN)

    session = await store.session_of(made)

    assert [one.value for one in session.cookies] == [SECRET]
    assert session.cookies[0].expires_at is not None
    assert SECRET not in await dump_of(database)
    assert SECRET not in repr(made) + repr(session)
    assert made.hint == f"****{SECRET[-4:]}"


async def test_the_first_account_of_a_platform_has_the_profile_that_was_there(store: AccountStore) -> None:
    first, second, other = [
        await store.create(platform, label, by="local") for platform, label in (("xhs", "a"), ("xhs", "b"), ("y", "a"))
    ]

    assert (first.profile, other.profile) == ("default", "default")
    assert second.profile == second.account_id


async def test_a_label_is_taken_once_per_platform(store: AccountStore) -> None:
    await store.create("xhs", "a", by="local")
    second = await store.create("xhs", "b", by="local")

    with pytest.raises(NameTakenError):
        await store.create("xhs", "a", by="local")
    with pytest.raises(NameTakenError):
        await store.rename(second.account_id, "a", by="local")


async def test_the_account_preferred_last_is_the_default(store: AccountStore) -> None:
    first = await store.create("xhs", "a", by="local")
    second = await store.create("xhs", "b", by="local")
    before = await store.default_of("xhs")

    await store.prefer(second.account_id, by="local")

    after = await store.default_of("xhs")
    assert before is not None
    assert after is not None
    assert (before.account_id, after.account_id) == (first.account_id, second.account_id)
    assert [one.account_id for one in await store.list()] == [second.account_id, first.account_id]


async def test_a_session_past_its_end_has_expired(store: AccountStore, clock: Clock) -> None:
    made = await store.create("xhs", "a", by="local")
    ends = datetime.now(UTC) + timedelta(hours=1)
    await store.note_state(made.account_id, AuthState.OK, expires_at=ends)

    found = await store.get(made.account_id)

    assert found.state_at(clock.now()) is AuthState.OK
    assert found.state_at(ends + timedelta(seconds=1)) is AuthState.EXPIRED


async def test_a_session_of_another_record_does_not_open(store: AccountStore, database: Database) -> None:
    first = await store.create("xhs", "a", by="local", login=a_login())
    second = await store.create("xhs", "b", by="local", login=a_login("x" * 20))
    accounts = database.collection("accounts")
    row = await database.do(accounts.find_one({"_id": first.account_id}))
    assert row is not None
    await database.do(accounts.update_one({"_id": second.account_id}, {"$set": {"sealed": row["sealed"]}}))

    with pytest.raises(SecretsKeyError) as caught:
        await store.session_of(second)

    assert caught.value.reason == "SECRET_DAMAGED"


async def test_another_key_loses_nothing(store: AccountStore, database: Database, clock: Clock, tmp_path: Path) -> None:
    made = await store.create("xhs", "a", by="local", login=a_login())
    elsewhere = AccountStore(database, clock=clock, box=open_box(tmp_path / "other", has_sealed=False))

    with pytest.raises(SecretsKeyError) as caught:
        await elsewhere.session_of(made)
    renamed = await elsewhere.rename(made.account_id, "b", by="local")

    assert caught.value.reason == "SECRETS_KEY_WRONG"
    assert [one.value for one in (await store.session_of(renamed)).cookies] == [SECRET]


async def test_a_missing_key_is_missed_only_where_something_is_sealed(store: AccountStore, database: Database) -> None:
    made = await store.create("xhs", "a", by="local")
    before = await has_sealed(database)

    await store.put_login(made.account_id, a_login(), what="login", by="local", state=AuthState.OK)

    assert (before, await has_sealed(database)) == (False, True)


async def test_who_did_what_is_kept(store: AccountStore) -> None:
    made = await store.create("xhs", "a", by="li")
    await store.put_login(made.account_id, a_login(), what="cookies_set", by="wang", state=AuthState.UNKNOWN)
    found = await store.rename(made.account_id, "b", by="zhao")

    assert [(one.what, one.by) for one in found.history] == [
        *(("created", "li"), ("cookies_set", "wang"), ("renamed", "zhao"))
    ]


async def test_a_removed_account_is_gone_with_what_was_sealed(store: AccountStore, database: Database) -> None:
    made = await store.create("xhs", "a", by="local", login=a_login())

    await store.remove(made.account_id)

    assert await dump_of(database) == "[]"
    with pytest.raises(NotFoundError):
        await store.get(made.account_id)
