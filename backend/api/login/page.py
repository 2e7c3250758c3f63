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
label{display:block;margin:12px 0 4px;font-weight:600}
input,button{width:100%;min-height:44px;padding:0 12px;border-radius:6px;font:inherit}
input{border:1px solid var(--line);color:inherit;background:transparent}
details{margin-top:16px}summary{min-height:44px;padding:10px 0;color:var(--go);cursor:pointer}
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
_NAMED_HINT = Text("输入管理员给你的用户名和密码。", "Enter the name and the password your admin gave you.")
_NAME = Text("用户名", "Name")
_PASSWORD = Text("密码", "Password")
_BY_TOKEN = Text("改用访问令牌 (AUTH_TOKEN)", "Use the access token (AUTH_TOKEN) instead")
_BUTTON = Text("登录", "Sign in")
_GO_ON = Text("继续", "Continue")


def render_form(
    speech: Speech,
    *,
    next_path: str,
    problem: Text | None = None,
    with_names: bool = False,
    with_token: bool = True,
    name: str = "",
) -> str:
    """Return the form; after it the browser goes to `next_path`. `problem` says why the last try was refused.

    `with_names`: there are users; `with_token`: there is an AUTH_TOKEN. `name` is what was given last.
    """
    told = "" if problem is None else f'<p class="bad" role="alert">{_say(speech, problem)}</p>'
    if not with_names:
        return _page(speech, f"<p>{_say(speech, _HINT)}</p>{told}{_token_form(speech, next_path, is_first=True)}")
    content = f"<p>{_say(speech, _NAMED_HINT)}</p>{told}{_name_form(speech, next_path, name)}"
    if with_token:
        form = _token_form(speech, next_path, is_first=False)
        content += f"<details><summary>{_say(speech, _BY_TOKEN)}</summary>{form}</details>"
    return _page(speech, content)


def _name_form(speech: Speech, next_path: str, name: str) -> str:
    focus = ("", " autofocus") if name else (" autofocus", "")
    return (
        f'<form method="post" action="/login"><input type="hidden" name="next" value="{escape(next_path)}">'
        f'<label for="name">{_say(speech, _NAME)}</label>'
        f'<input id="name" name="name" value="{escape(name)}" autocomplete="username" autocapitalize="none"'
        f' spellcheck="false" maxlength="64" required{focus[0]}>'
        f'<label for="password">{_say(speech, _PASSWORD)}</label>'
        f'<input id="password" name="password" type="password" autocomplete="current-password" required{focus[1]}>'
        f'<button type="submit">{_say(speech, _BUTTON)}</button></form>'
    )


def _token_form(speech: Speech, next_path: str, *, is_first: bool) -> str:
    focus = " autofocus" if is_first else ""
    return (
        f'<form method="post" action="/login"><input type="hidden" name="next" value="{escape(next_path)}">'
        # Password managers file the token under a name.
        '<input name="username" value="AUTH_TOKEN" autocomplete="username" hidden>'
        f'<label for="token">{_say(speech, _LABEL)}</label>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required'
        f'{focus}><button type="submit">{_say(speech, _BUTTON)}</button></form>'
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
