"""robots.txt of one origin: read once for a run, judged by Protego (RFC 9309).

4xx means there are no rules. 5xx, 429 and no answer mean that the rules are unknown: then nothing is fetched.
"""

from dataclasses import dataclass
from http import HTTPStatus

from protego import Protego

from backend.crawl.fetch import Answer

MAX_CRAWL_DELAY_S = 60.0
# Unknown for now: asking again may help.
PASSING = frozenset({"DEADLINE", "NO_ANSWER", "BROKEN_ANSWER", "HTTP_STATUS", "THROTTLED"})
# One look-up in a file of 500 KB of wildcards takes 80 ms.
_HEAVY_BYTES = 32 * 1024


class RobotRules:
    """The rules for our user agent; without a parser everything is allowed.

    `is_heavy`: asking takes so long that it is done in a thread.
    """

    def __init__(self, parser: Protego | None, user_agent: str, *, is_heavy: bool = False) -> None:
        self._parser = parser
        self._user_agent = user_agent
        self.is_heavy = is_heavy

    @property
    def delay_s(self) -> float:
        """Seconds that should lie between two requests, at most a minute; 0 when the file does not say."""
        stated = self._parser.crawl_delay(self._user_agent) if self._parser is not None else None
        return min(float(stated or 0.0), MAX_CRAWL_DELAY_S)

    def allows(self, url: str) -> bool:
        """Whether the URL may be fetched."""
        return self._parser is None or bool(self._parser.can_fetch(url, self._user_agent))


@dataclass(frozen=True, slots=True)
class RulesUnknown:
    """Why the rules could not be read, as a word of api.md."""

    error: str


def read_rules(answer: Answer, user_agent: str) -> RobotRules | RulesUnknown:
    """Return the rules that an answer for /robots.txt states, or that they are unknown. May take some 0.1 s."""
    if answer.error is not None:
        return RulesUnknown(answer.error)
    status = answer.status or 0
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return RulesUnknown("THROTTLED" if status == HTTPStatus.TOO_MANY_REQUESTS else "HTTP_STATUS")
    if answer.body is None:
        return RobotRules(None, user_agent)
    text = answer.body.decode("utf-8-sig", "replace")
    return RobotRules(Protego.parse(text), user_agent, is_heavy=len(answer.body) > _HEAVY_BYTES)
