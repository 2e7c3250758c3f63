"""A listening socket that waits when file descriptors run out.

Tornado lets any error of accept() but two go to the loop, which finds the socket still readable and comes back at once
(measured at the limit: 2,000 log lines a second, and no answer to anybody until it was over).
"""

import errno
import socket
import sys
from typing import Any, Self

from loguru import logger
from tornado.ioloop import IOLoop

if sys.platform != "win32":
    import resource

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 1.0
# Kept from callers for the stores, for files and for what tasks fetch.
_RESERVED_SHARE = 4
_MOST_RESERVED = 64


class PatientSocket(socket.socket):
    """Accepts while descriptors are left for the work itself; then pauses for a second, and tells so once.

    A connection that would take a reserved descriptor is closed at once; others wait in the system's queue.
    """

    _is_short = False

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        """Take over a bound socket."""
        family, kind, protocol = plain.family, plain.type, plain.proto
        made = cls(family, kind, protocol, fileno=plain.detach())
        made.setblocking(False)
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection. Raises BlockingIOError when there is none, or none may be taken now."""
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._pause()
            raise BlockingIOError(errno.EAGAIN, "out of descriptors") from error
        # The system gives the lowest free number: it says how many are open.
        if connection.fileno() >= _ceiling():
            connection.close()
            self._pause()
            raise BlockingIOError(errno.EAGAIN, "few descriptors are left")
        if self._is_short:
            self._is_short = False
            logger.info("重新接受连接 / accepting connections again")
        return connection, address

    def _pause(self) -> None:
        if not self._is_short:
            self._is_short = True
            logger.error(
                "打开的文件过多，暂停接受新连接，请提高 ulimit -n"
                " / too many open files: accepting pauses; raise ulimit -n"
            )
        loop = IOLoop.current()
        loop.update_handler(self, 0)
        loop.call_later(_PAUSE_S, self._resume, loop)

    def _resume(self, loop: IOLoop) -> None:
        if self.fileno() >= 0:
            loop.update_handler(self, IOLoop.READ)


def _ceiling() -> float:
    if sys.platform == "win32":
        return float("inf")
    # Asked each time: an operator may raise it while we run.
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    return limit - min(_MOST_RESERVED, limit // _RESERVED_SHARE)
