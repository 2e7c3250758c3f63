"""What a person may be called."""

import re
from pathlib import Path

import pytest

from backend.core.settings import ROOT
from backend.domain.user import is_good_name
from backend.services.retention_service import BY

_PROGRAMS = re.search(r"PROGRAMS = \[(.*)\]", Path(ROOT, "frontend/src/users/names.ts").read_text("utf-8"))


@pytest.mark.parametrize("name", [BY, *re.findall(r"'(\w+)'", _PROGRAMS[1] if _PROGRAMS else "")])
def test_nobody_is_called_as_a_program_that_acts_by_itself(name: str) -> None:
    assert not is_good_name(name)
