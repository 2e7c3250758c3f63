"""The shapes of what would be purged."""

from typing import Any

from typing_extensions import TypedDict

from backend.api.wire import stamp
from backend.services.retention_service import Preview


class RetentionRuleOut(TypedDict):
    """A rule, and what would go by it now; `kind` and `status` may be `all`.

    `files` and `size_bytes` are at most so many: a file that another task names stays. `is_capped`: of more than 10,000
    tasks the oldest 10,000 are counted.
    """

    kind: str
    status: str
    days: int
    before: str
    tasks: int
    items: int
    files: int
    size_bytes: int
    is_capped: bool


class RetentionDiskOut(TypedDict):
    """The disk of DATA_DIR."""

    total_bytes: int
    free_bytes: int


class RetentionOut(TypedDict):
    """The rules of RETENTION_DAYS; without any, nothing is ever purged by itself."""

    rules: list[RetentionRuleOut]
    disk: RetentionDiskOut


def retention_out(preview: Preview) -> Any:
    """Return the body of /system/retention."""
    return {
        "rules": [
            {
                **{"kind": due.rule.kind, "status": due.rule.status, "days": due.rule.days},
                **{"before": stamp(due.before), "tasks": due.doomed.tasks, "items": due.doomed.items},
                **{"files": due.doomed.files, "size_bytes": due.doomed.size_bytes, "is_capped": due.doomed.is_capped},
            }
            for due in preview.due
        ],
        "disk": {"total_bytes": preview.disk.total_bytes, "free_bytes": preview.disk.free_bytes},
    }
