"""The whole list, in the order in which a person would look."""

from backend.doctor.code_rows import code_rows
from backend.doctor.log_rows import log_rows
from backend.doctor.machine_rows import machine_rows
from backend.doctor.rows import Row
from backend.doctor.server_rows import Look, server_rows
from backend.doctor.store_rows import store_rows


def all_rows(seen: Look) -> list[Row]:
    """Return every row."""
    settings = seen.settings
    return [*server_rows(seen), *code_rows(), *store_rows(seen), *log_rows(settings), *machine_rows(settings)]
