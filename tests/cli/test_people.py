"""The commands that write users themselves, and the version of the data they write to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop
from typer.testing import CliRunner, Result

from backend.cli import app
from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.schema import SCHEMA, Schema


@dataclass(frozen=True, slots=True)
class Place:
    """A database, and a folder of an installation that uses it."""

    database: Database
    url: str
    folder: Path
    loop: tornado.ioloop.IOLoop

    def run(self, *arguments: str) -> Result:
        environ = {"MONGODB_URL": self.url, "MONGODB_DATABASE": self.database.name, "DATA_DIR": str(self.folder)}
        return CliRunner().invoke(app, arguments, env={**environ, "STORES": "auto"})

    def do(self, operation: Any) -> Any:
        async def run() -> Any:
            return await self.database.do(operation())

        return self.loop.run_sync(run)


@pytest.fixture
def place(database: Database, mongo_url: str, tmp_path: Path, io_loop: tornado.ioloop.IOLoop) -> Place:
    return Place(database, mongo_url, tmp_path, io_loop)


@pytest.mark.parametrize(
    ("row", "says"),
    [({"_id": "tasks", "version": 99, "by": "9.0.0"}, "9.0.0"), ({"_id": "_restore", "by": "0.1.0"}, "--replace")],
    ids=["newer", "half-restored"],
)
@pytest.mark.parametrize("command", [("user", "add", "anna", "--generate"), ("token", "list", "anna")])
def test_data_that_serve_would_refuse_is_left_alone(
    place: Place, clock: Clock, row: dict[str, object], says: str, command: tuple[str, ...]
) -> None:
    rows = place.database.collection(SCHEMA)
    place.do(lambda: rows.insert_one({**row, "migrated_at": clock.now()}))

    answer = place.run(*command)

    assert answer.exit_code == 1
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert place.do(rows.database.list_collection_names) == [SCHEMA]


def test_first_user_of_fresh_data_notes_its_version(place: Place, clock: Clock) -> None:
    answer = place.run("user", "add", "anna", "--generate")

    versions = place.loop.run_sync(Schema(place.database, clock=clock, by="test").versions)
    assert answer.exit_code == 0, answer.output
    assert "users" in versions
