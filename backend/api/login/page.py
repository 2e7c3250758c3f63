"""The page at /login: one form as plain HTML, without scripts and without anything from outside."""

import base64
import hashlib
from html import escape
from urllib.parse import quote

from backend.api.language import Speech
from backend.domain.text import Text

_STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1b2330;--muted:#56606e;--line:#7d8896;
--go:#1f5fd6;--on:#fff;--bad:#a81f34;--bad-bg:#fde7ea}
@media(prefers-color-scheme:dark){:root{--bg:#0e1116;--card:#161b22;--text:#e6eaf0;--muted:#9aa4b2;--line:#6d7888;
--go:#5b9bff;--on:#06152e;--bad:#ffa3ae;--bad-bg:#4a1a22}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:16px;background:var(--bg);color:var(--text);
font:16px/1.6 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}
main{width:100%;max-width:24rem;padding:24px;border-radius:8px;background:var(--card)}
h1{margin:0 0 4px;font-size:20px}p{margin:0 0 16px;color:var(--muted)}a{color:var(--go)}
.bad{padding:8px 12px;border-radius:6px;color:var(--bad);background:var(--bad-bg)}
label{display:block;margin-bottom:4px;font-weight:600}
input,button{width:100%;min-height:44px;padding:0 12px;border-radius:6px;font:inherit}
input{border:1px solid var(--line);color:inherit;background:transparent}
button{margin-top:16px;border:0;color:var(--on);background:var(--go);font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--go);outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
LOGIN_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TITLE = Text("登录 MediaCrawer Pro", "Sign in to MediaCrawer Pro")
_HINT = Text("输入服务器设置的 AUTH_TOKEN。", "Enter the AUTH_TOKEN that is set on the server.")
_LABEL = Text("访问令牌", "Access token")
_BUTTON = Text("登录", "Sign in")
_GO_ON = Text("继续", "Continue")


def render_form(speech: Speech, *, next_path: str, problem: Text | None = None) -> str:
    """Return the form; after it the browser goes to `next_path`. `problem` says why the last try was refused."""
    told = "" if problem is None else f'<p class="bad" role="alert">{_say(speech, problem)}</p>'
    return _page(
        speech,
        f"<p>{_say(speech, _HINT)}</p>{told}"
        f'<form method="post" action="/login"><input type="hidden" name="next" value="{escape(next_path)}">'
        # Password managers file the token under a name.
        '<input name="username" value="AUTH_TOKEN" autocomplete="username" hidden>'
        f'<label for="token">{_say(speech, _LABEL)}</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
        f'<button type="submit">{_say(speech, _BUTTON)}</button></form>',
    )


def render_detour(speech: Speech, *, next_path: str) -> str:
    """Return a page that asks for /login again by itself, this time as a page of ours."""
    address = escape(f"/login?next={quote(next_path, safe='/')}")
    link = f'<p><a href="{address}">{_say(speech, _GO_ON)}</a></p>'
    return _page(speech, link, head=f'<meta http-equiv="refresh" content="0;url={address}">')


def _page(speech: Speech, content: str, *, head: str = "") -> str:
    title = _say(speech, _TITLE)
    return (
        f'<!doctype html><html lang="{"en" if speech.record == "en" else "zh-CN"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{head}<title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>\n"
    )


def _say(speech: Speech, text: Text) -> str:
    return escape(speech.say(text))
