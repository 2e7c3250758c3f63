"""A font with Chinese characters: the system's, else the one of the pylopdf-fonts-zh-cn package (Noto Sans SC, OFL)."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font file and which of its faces to use: a collection (.ttc) holds several."""

    path: Path
    index: int = 0


# In order of preference. In Noto's collections the faces are JP, KR, SC, TC, HK: 2 has the forms of the mainland.
_LINUX = (
    ("NotoSansCJK-Regular.ttc", 2),
    ("NotoSansCJKsc-Regular.otf", 0),
    ("NotoSansSC-Regular.otf", 0),
    ("NotoSansSC-Regular.ttf", 0),
    ("SourceHanSansSC-Regular.otf", 0),
    ("wqy-microhei.ttc", 0),
    ("wqy-zenhei.ttc", 0),
    ("DroidSansFallbackFull.ttf", 0),
)
# The next two were never run by us: no such machines here.
_MAC = (("PingFang.ttc", 0), ("Hiragino Sans GB.ttc", 0), ("STHeiti Medium.ttc", 0), ("Arial Unicode.ttf", 0))
_WINDOWS = (("msyh.ttc", 0), ("msyh.ttf", 0), ("simhei.ttf", 0), ("simsun.ttc", 0))


def find_cjk_font(folders: Sequence[Path] | None = None) -> FontFile | None:
    """Return a font that draws Chinese, or None. `folders` replaces the places where this system keeps fonts."""
    wanted = {name: FontFile(Path(name), index) for name, index in _candidates()}
    found = dict(_fonts_in(_system_folders() if folders is None else folders, wanted))
    best = next((FontFile(found[name], one.index) for name, one in wanted.items() if name in found), None)
    return best or _packaged_font()


def _candidates() -> Sequence[tuple[str, int]]:
    if sys.platform == "darwin":
        return _MAC
    return _WINDOWS if sys.platform == "win32" else _LINUX


def _system_folders() -> Sequence[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    if sys.platform == "win32":
        return (Path("C:/Windows/Fonts"), home / "AppData/Local/Microsoft/Windows/Fonts")
    # fontconfig's own defaults.
    return (home / ".local/share/fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts"))


def _fonts_in(folders: Sequence[Path], wanted: dict[str, FontFile]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for place, _, names in os.walk(folder):
            yield from ((name, Path(place) / name) for name in names if name in wanted)


def _packaged_font() -> FontFile | None:
    spec = find_spec("pylopdf_fonts_zh_cn")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("NotoSansSC-Regular.otf")
    return FontFile(path) if path.is_file() else None
