"""One plain HTTP request to a server of this machine, from a program without an event loop."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_ANSWER_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of `headers` are in lower case. `body` is cut at 256 KB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def ask(
    host: str,
    port: int,
    path: str,
    *,
    timeout_s: float,
    method: str = "GET",
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer | None:
    """Return the answer; None when nobody answers HTTP there. `timeout_s` is for each step, not for the whole."""
    sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
    if method != "GET":
        sent["Content-Length"] = "0"
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=timeout_s)
    try:
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
