"""Ending a connection so that its reader cannot take what came for the whole."""

import socket
import struct
import sys

from tornado.iostream import IOStream

# On, and 0 s to linger; Windows has shorts there.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def hang_up(stream: IOStream) -> None:
    """Reset the connection: a plain close would look like a good end to readers without chunked encoding (HTTP/1.0)."""
    own = stream.socket
    if own is not None and own.family in {socket.AF_INET, socket.AF_INET6}:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    stream.close()
