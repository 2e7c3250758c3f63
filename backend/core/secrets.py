"""What must not be readable in the stores: sealed with a key that is in a file beside them, and nowhere else.

AES-256-GCM (NIST SP 800-38D). A sealed value carries the id of its key, so that a wrong key is told from a damaged
value, and belongs to the place it was sealed for: moved to another record it does not open.
docs/decisions/0015-accounts.md.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import stat
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from loguru import logger

from backend.domain.errors import SecretsKeyError
from backend.domain.text import Text

KEY_FILE = "secrets.key"
_KEY_BYTES = 32
_FORMAT = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEAD_BYTES = len(_FORMAT) + _KEY_ID_BYTES + _NONCE_BYTES
_MAX_FILE_BYTES = 1_000


class SecretBox:
    """Seals and opens values. Without a key it is made all the same, and says at each use what is wrong with it."""

    def __init__(self, key: bytes | None, *, problem: SecretsKeyError | None = None) -> None:
        """`key` is 32 bytes; without one, `problem` is what every use raises."""
        if (key is None) == (problem is None):
            raise ValueError("a box has a key or a problem")
        self._cipher = None if key is None else AESGCM(key)
        self._derivation_key = None if key is None else hashlib.sha256(b"mediacrawer derivation 1" + key).digest()
        self._key_id = b"" if key is None else hashlib.sha256(b"mediacrawer key id 1" + key).digest()[:_KEY_ID_BYTES]
        self.problem = problem

    def seal(self, value: bytes, *, place: str) -> bytes:
        """Return the value sealed for `place`. Raises SecretsKeyError."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ready().encrypt(nonce, value, place.encode())
        return _FORMAT + self._key_id + nonce + sealed

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Return what was sealed for `place`. Raises SecretsKeyError; the sealed value stays as good as it was."""
        cipher = self._ready()
        if not self.is_mine(sealed):
            raise SecretsKeyError("SECRETS_KEY_WRONG", _WRONG, advice=_WRONG_ADVICE)
        nonce = sealed[len(_FORMAT) + _KEY_ID_BYTES : _HEAD_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEAD_BYTES:], place.encode())
        except InvalidTag:
            raise SecretsKeyError("SECRET_DAMAGED", _DAMAGED, advice=_DAMAGED_ADVICE) from None

    def derived(self, purpose: str) -> bytes:
        """Return a key of its own for `purpose`, the same at every start. Raises SecretsKeyError."""
        self._ready()
        return hmac.digest(self._derivation_key or b"", purpose.encode(), "sha256")

    def is_mine(self, sealed: bytes) -> bool:
        """Tell whether a value was sealed with this key."""
        return self._cipher is not None and sealed.startswith(_FORMAT + self._key_id)

    def _ready(self) -> AESGCM:
        if self._cipher is None:
            raise self.problem or SecretsKeyError("SECRETS_KEY_MISSING", _MISSING, advice=_MISSING_ADVICE)
        return self._cipher


def no_key_error() -> SecretsKeyError:
    """Return what is to be raised where a key would be needed and there is none."""
    return SecretsKeyError("SECRETS_KEY_MISSING", _MISSING, advice=_MISSING_ADVICE)


def open_box(data_dir: Path, *, has_sealed: bool) -> SecretBox:
    """Return the box of DATA_DIR/secrets.key, making the key at the very first start.

    A key is never made where something is sealed already (`has_sealed`): it could not open it, and would hide that the
    right one is missing. Nothing raises: what is wrong is logged once, and said at each use.
    """
    path = data_dir / KEY_FILE
    try:
        if not path.exists() and not has_sealed:
            _make(path)
        return SecretBox(_read(path))
    except FileNotFoundError:
        problem = SecretsKeyError("SECRETS_KEY_MISSING", _MISSING, advice=_MISSING_ADVICE)
    except (OSError, ValueError) as error:
        # Of a bad file nothing is quoted: part of it may be the key.
        reason = error.strerror if isinstance(error, OSError) else None
        logger.debug("{} cannot be used: {}", KEY_FILE, reason or "not 32 bytes in base64")
        problem = SecretsKeyError("SECRETS_KEY_UNREADABLE", _UNREADABLE, advice=_UNREADABLE_ADVICE)
    logger.error("🔑 {} {}", problem.reason, problem.message.both())
    return SecretBox(None, problem=problem)


def _make(path: Path) -> None:
    """Make the key file whole or not at all, 0600 from its first moment; one that is there meanwhile is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}.new")
    try:
        fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            _rename_to_new(made, path)
    finally:
        made.unlink(missing_ok=True)


def _rename_to_new(made: Path, path: Path) -> None:
    """Raises FileExistsError when the new name is taken."""
    if sys.platform == "win32":
        made.rename(path)
    else:
        # A rename would replace, and some file systems have no links.
        try:
            os.link(made, path)
        except FileExistsError:
            raise
        except OSError:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as out:
                out.write(made.read_bytes())
                os.fsync(out.fileno())


def _read(path: Path) -> bytes:
    """Raises OSError, and ValueError when it holds no key."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        text = file.read(_MAX_FILE_BYTES).strip()
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        logger.warning("🔑 {} 可被其他用户读取，已改为 0600 / others could read it: now 0600", KEY_FILE)
        with contextlib.suppress(OSError):
            path.chmod(0o600)
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if len(key) != _KEY_BYTES:
        raise ValueError("not 32 bytes")
    return key


_MISSING = Text(f"DATA_DIR 里缺少密钥文件 {KEY_FILE}", f"The key file {KEY_FILE} is missing in DATA_DIR")
_MISSING_ADVICE = Text(
    f"从备份或另一台服务器的 DATA_DIR 复制 {KEY_FILE} 后重启；找不回来时，请重新登录或重新填写各账号的 Cookie",
    f"Copy {KEY_FILE} from a backup or another server's DATA_DIR, then restart; if it is lost, remove what was stored"
    " for each account and log in again",
)
_WRONG = Text("这份数据是用另一个密钥加密的", "This was sealed with another key")
_WRONG_ADVICE = Text(
    f"把加密时所用的 {KEY_FILE} 放回 DATA_DIR 后重启；或重新登录该账号",
    f"Put the {KEY_FILE} it was sealed with back into DATA_DIR and restart, or log in again",
)
_UNREADABLE = Text(f"密钥文件 {KEY_FILE} 无法使用", f"The key file {KEY_FILE} cannot be used")
_UNREADABLE_ADVICE = Text(
    f"检查 {KEY_FILE} 的权限和内容，或从备份恢复后重启",
    f"Check the permissions and content of {KEY_FILE}, or restore it, then restart",
)
_DAMAGED = Text("加密的数据已损坏", "The sealed value is damaged")
_DAMAGED_ADVICE = Text("请重新登录该账号", "Log in to the account again")
