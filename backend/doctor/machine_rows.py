"""The rows about this machine: the folder, the disk, and the programs and keys that some tasks need."""

import tempfile
from pathlib import Path

from backend.core.disk import disk_of, nearest_of
from backend.core.settings import Settings, vendor_environ
from backend.crawl.browser import BrowserOptions
from backend.crawl.browser.options import availability_of
from backend.doctor.rows import Row, same
from backend.domain.text import Text
from backend.generate.fonts import find_cjk_font
from backend.generate.media import find_ffmpeg
from backend.generate.registry import load_providers

_LOW_DISK_BYTES = 1024**3
_GB = 1024**3
_FOLDER, _DISK = Text("数据目录可写", "The data folder can be written"), Text("磁盘空间", "Disk")
_FONT, _BROWSER = Text("中文字体", "A Chinese font"), Text("浏览器", "A browser")
_KEYS = Text("服务商密钥", "Providers' keys")


def machine_rows(settings: Settings) -> list[Row]:
    """Return the rows, in the order of what hurts most."""
    return [
        _folder(settings.data_dir),
        _disk(settings.data_dir),
        _ffmpeg(),
        _font(),
        _browser(settings),
        _keys(settings),
    ]


def _folder(data_dir: Path) -> Row:
    nearest = nearest_of(data_dir)
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".doctor-") as file:
            file.write(b"x")
    except OSError as error:
        advice = Text("检查该目录的所有者和权限，或设置 DATA_DIR", "Check its owner and permissions, or set DATA_DIR")
        return Row("data_dir", _FOLDER, "bad", same(f"{nearest}: {error.strerror}"), advice)
    return Row("data_dir", _FOLDER, "ok", same(str(data_dir)))


def _disk(data_dir: Path) -> Row:
    free_bytes = disk_of(data_dir).free_bytes
    free = f"{free_bytes / _GB:.1f} GB"
    words = Text(f"剩余 {free}", f"{free} free")
    if free_bytes < _LOW_DISK_BYTES:
        return Row("disk", _DISK, "bad", words, Text("腾出至少 1 GB", "Free 1 GB at least"))
    return Row("disk", _DISK, "ok", words)


def _ffmpeg() -> Row:
    found = find_ffmpeg()
    if found is None:
        return Row(
            "ffmpeg", same("ffmpeg"), "none", _NOT_FOUND, Text("安装后可生成视频", "Install it to render videos")
        )
    return Row("ffmpeg", same("ffmpeg"), "ok", same(str(found)))


def _font() -> Row:
    found = find_cjk_font()
    if found is None:
        advice = Text("安装 fonts-noto-cjk 后字幕可显示中文", "Install fonts-noto-cjk to have Chinese in subtitles")
        return Row("font", _FONT, "none", _NOT_FOUND, advice)
    return Row("font", _FONT, "ok", same(str(found.path)))


def _browser(settings: Settings) -> Row:
    now = availability_of(
        BrowserOptions(mode=settings.browser_mode, cdp_url=settings.browser_cdp_url, path=settings.browser_path)
    )
    if now.available:
        return Row("browser", _BROWSER, "ok", same(f"BROWSER_MODE={settings.browser_mode}"))
    return Row("browser", _BROWSER, "none", now.message or _NOT_FOUND, now.advice)


def _keys(settings: Settings) -> Row:
    try:
        providers = load_providers(vendor_environ(settings))
    except ValueError as error:
        return Row("keys", _KEYS, "bad", same(str(error)), Text("改正 .env 中的这个设置", "Mend this setting in .env"))
    found = {name: one.availability() for name, one in providers.items()}
    lacking = {name: now for name, now in found.items() if not now.available}
    ready = ", ".join(name for name in providers if name not in lacking)
    missing = ", ".join(f"{name} ({now.reason})" for name, now in lacking.items())
    words = Text(f"可用: {ready or '–'}；不可用: {missing or '–'}", f"ready: {ready or '–'}; not: {missing or '–'}")
    advice = next((now.advice for now in lacking.values() if now.advice is not None), None)
    return Row("keys", _KEYS, "none" if lacking else "ok", words, advice)


_NOT_FOUND = Text("没有找到", "not found")
