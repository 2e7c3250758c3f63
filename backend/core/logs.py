"""One log for everything: loguru's lines, the standard library's, Tornado's and asyncio's, in one format.

The format is what the product's owner reads and scripts search; secrets are cut at the sink, so that no
caller has to remember. Sinks are synchronous: a line is on disk before the next statement runs.
"""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

REDACTED = "***"
MAX_MESSAGE_CHARS = 8_000
FILE_MAX_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5
# They tell at INFO or DEBUG what our own lines tell, with whole commands and URLs in it.
TALKATIVE_LOGGERS = ("asyncio", "aiohttp", "httpx", "httpcore", "pymongo", "motor", "taskiq")

Redact = Callable[[str], str]

_HEADER = re.compile(
    r"""(?<![A-Za-z0-9])((?:proxy-)?authorization|(?:set-)?cookie|x-(?:[a-z0-9]{1,20}-){0,3}(?:key|token)|api-key)
        (['"]\s*[,:=]\s*b?['"]|\s*[:=]\s*)[^'"\r\n]+""",
    re.IGNORECASE | re.VERBOSE,
)
_PARAMETER = re.compile(
    r"""(?<![A-Za-z0-9])((?:[a-z0-9]{1,32}[_-]){0,4}(?:api|access)?
        (?:token|key|secret|password|passwd|signature|sig))
        (=|['"]\s*:\s*['"])[^&\s"'#;,]+""",
    re.IGNORECASE | re.VERBOSE,
)
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@]{0,256}:)[^/\s@]{1,256}@")
# What all three above need; a line without it, as nearly all are, is not looked at further.
_SUSPECT = re.compile(r"auth|cookie|key|token|secret|passw|sig|://", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

_installed: list[int] = []


def configure_logs(level: str = "INFO", file: Path | None = None, secrets: Iterable[str] = ()) -> None:
    """Send every log line to stderr, and to `file` when given; call it before the first line.

    `secrets` are values cut from every line. A file is kept to 10 MB and five older ones. Calling it again
    replaces what the last call set up. Raises OSError when the file cannot be opened.
    """
    use_utf8(sys.stdout, sys.stderr)
    redact = make_redactor(secrets)
    log_file = _LogFile(file, redact) if file is not None else None
    # The first time, 0 is loguru's own default sink.
    for handler_id in _installed or [0]:
        _remove(handler_id)
    _installed[:] = [_add_sink(lambda text: _write_stderr(redact(text)), level)]
    if log_file is not None:
        _installed.append(logger.add(log_file, level=level, format=_format_exception, backtrace=False, diagnose=False))
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [_ToLoguru()]
    root.setLevel(logging.DEBUG if level in {"TRACE", "DEBUG"} else logging.INFO)
    for name in TALKATIVE_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def captured_log(level: str = "TRACE", secrets: Iterable[str] = ()) -> Iterator[list[str]]:
    """Yield a list that fills with the lines logged meanwhile, in the exact format. For tests."""
    lines: list[str] = []
    redact = make_redactor(secrets)
    handler_id = _add_sink(lambda text: lines.extend(redact(text).splitlines()), level)
    root, to_loguru = logging.getLogger(), _ToLoguru()
    # A server started meanwhile installs its own; two would double every line.
    routed = any(isinstance(handler, _ToLoguru) for handler in root.handlers)
    level_before = root.level
    if not routed:
        root.addHandler(to_loguru)
        root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        _remove(handler_id)
        root.removeHandler(to_loguru)
        root.setLevel(level_before)


def use_utf8(*streams: object) -> None:
    """Make text streams write UTF-8 and escape what cannot be encoded: a GBK console would lose the line."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def make_redactor(secrets: Iterable[str]) -> Redact:
    """Return what cuts `secrets`, credential headers and parameters, and passwords in URLs from a text."""
    values = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    longest_first = sorted(values, key=len, reverse=True)
    exact = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redact(text: str) -> str:
        if exact is not None:
            text = exact.sub(REDACTED, text)
        if not _SUSPECT.search(text):
            return text
        text = _HEADER.sub(rf"\1\2{REDACTED}", text)
        text = _PARAMETER.sub(rf"\1\2{REDACTED}", text)
        return _PASSWORD_IN_URL.sub(rf"\1{REDACTED}@", text)

    return redact


class _ToLoguru(logging.Handler):
    """Hands the standard library's records to loguru, with the name, function and line of their origin."""

    def emit(self, record: logging.LogRecord) -> None:
        def set_origin(target: "Record") -> None:
            target["name"], target["function"], target["line"] = (
                record.name,
                record.funcName or "",
                record.lineno,
            )

        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # Arguments that do not fit the text: the line is worth more than its arguments.
            message = str(record.msg)
        logger.patch(set_origin).opt(exception=record.exc_info).log(_level_of(record), message)


class _Rotating(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Drop the line: a full disk would print a traceback for each of them, where they still go: to stderr."""

    def doRollover(self) -> None:  # noqa: N802 - the standard library's name
        """Rotate if that can be done: a log that somebody has open on Windows grows on, and loses no line."""
        try:
            super().doRollover()
        except OSError:
            if self.stream is None:
                self.stream = self._open()


class _LogFile:
    """A loguru sink; the standard handler underneath renames on Windows too, and flushes each line."""

    def __init__(self, path: Path, redact: Redact) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._redact = redact
        self._handler = _Rotating(
            path, maxBytes=FILE_MAX_BYTES, backupCount=FILES_KEPT, encoding="utf-8", errors="backslashreplace"
        )
        self._handler.terminator = ""

    def write(self, message: "Message") -> None:
        text = self._redact(_line(message.record, str(message)))
        self._handler.handle(logging.makeLogRecord({"msg": text}))

    def stop(self) -> None:
        self._handler.close()


def _add_sink(write: Callable[[str], None], level: str) -> int:
    def sink(message: "Message") -> None:
        write(_line(message.record, str(message)))

    # diagnose would print the values of variables, keys among them.
    return logger.add(sink, level=level, format=_format_exception, backtrace=False, diagnose=False)


def _remove(handler_id: int) -> None:
    try:
        logger.remove(handler_id)
    except ValueError:
        # Somebody called logger.remove() and took all of them.
        return


def _format_exception(record: "Record") -> str:
    # What precedes the exception is written by `_line`, which must see the message apart from the traceback.
    del record
    return "{exception}"


def _line(record: "Record", exception: str) -> str:
    head = f"{record['time']:YYYY-MM-DD HH:mm:ss} | {record['level'].name: <8} | {_origin(record)} | "
    tail = "\n" + exception.rstrip("\n") if exception else ""
    return f"{head}{_one_paragraph(record['message'])}{tail}\n"


def _origin(record: "Record") -> str:
    name = record["name"] or ""
    # The composition root is `__main__` when it is run as a script; imported it keeps that name.
    name = "__main__" if name == "backend.main" else name.removeprefix("backend.")
    return f"{name}:{record['function']}:{record['line']}"


def _one_paragraph(message: str) -> str:
    """Escape control characters and indent further lines: text from outside must not forge a log line."""
    if len(message) > MAX_MESSAGE_CHARS:
        message = f"{message[:MAX_MESSAGE_CHARS]}… ({len(message) - MAX_MESSAGE_CHARS} more characters)"
    message = _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", message.replace("\r\n", "\n"))
    return message.replace("\n", "\n    ")


def _level_of(record: logging.LogRecord) -> str | int:
    try:
        return logger.level(record.levelname).name
    except ValueError:
        return record.levelno


def _write_stderr(text: str) -> None:
    # Looked up at each line: tests and services replace it, and pythonw has none.
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()
