"""`/login` and `/logout`: pages for people. A name with its password gives a session, and so does AUTH_TOKEN."""

import re
from typing import Any

from tornado.routing import URLSpec

from backend.api.errors import ApiError, code_of, headers_of, known_error
from backend.api.login.cookies import SessionCookies
from backend.api.login.page import LOGIN_POLICY, render_detour, render_form
from backend.domain.text import Text
from backend.domain.user import MAX_NAME_CHARS

MAX_FORM_BYTES = 4_096
MAX_NEXT_CHARS = 2_000
# A second slash or a backslash would make the browser read what follows as a host; it drops tabs and line ends first.
_LOCAL_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
_FORM_TYPE = "application/x-www-form-urlencoded"
_SHOWN_IN_THE_FORM = (401, 429)


def local_path(address: str) -> str:
    """Return `address` when it is a path on this server, else "/"."""
    return address if len(address) <= MAX_NEXT_CHARS and _LOCAL_PATH.fullmatch(address) else "/"


class LoginBase(SessionCookies):
    """A page that needs no session; the Host and Origin checks stay."""

    policy = LOGIN_POLICY

    def set_default_headers(self) -> None:
        """Set what goes with every answer."""
        super().set_default_headers()
        self._headers["Cache-Control"] = "no-store"
        # With no-referrer browsers send a form with `Origin: null`, which the Origin check refuses.
        self._headers["Referrer-Policy"] = "same-origin"


class LoginHandler(LoginBase):
    """The form, and what it sends."""

    def get(self) -> None:
        """Show the form to those who need it; send the others on."""
        next_path = local_path(self.get_query_argument("next", "/"))
        if self.door.callers.is_known(self.request):
            self.redirect(next_path, status=303)
        elif self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            # Behind a link of another site browsers hold SameSite=Strict cookies back: one step of our own brings them.
            self._finish_page(render_detour(self.speech, next_path=next_path))
        else:
            self._finish_page(self._form(next_path))

    async def post(self) -> None:
        """Give a session for a name with its password, or for AUTH_TOKEN."""
        self._check_form()
        callers = self.door.callers
        if self._field("name") and not callers.is_open:
            self.give_session(await callers.log_in(self._field("name"), self._field("password"), self.request))
        else:
            opened = callers.open_session(self._field("token").strip(), self.request)
            if opened is not None:
                self.give_session(opened)
        self.redirect(local_path(self._field("next")), status=303)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show the form again with the reason; what no form of ours sends gets the envelope."""
        error = known_error((kwargs.get("exc_info") or (None, None, None))[1])
        if error is None or code_of(error) // 100 not in _SHOWN_IN_THE_FORM:
            super().write_error(status_code, **kwargs)
            return
        self.set_status(code_of(error) // 100)
        for name, value in headers_of(error).items():
            self.set_header(name, value)
        self._finish_page(self._form(local_path(self._field("next")), error.message))

    def _form(self, next_path: str, problem: Text | None = None) -> str:
        callers = self.door.callers
        return render_form(
            self.speech,
            next_path=next_path,
            problem=problem,
            with_names=callers.has_users,
            with_token=callers.token.is_set,
            name=self._field("name")[:MAX_NAME_CHARS] if self.request.method == "POST" else "",
        )

    def _check_form(self) -> None:
        if len(self.request.body) > MAX_FORM_BYTES:
            raise ApiError("BODY_TOO_LARGE", Text("表单超过 4 KB", "The form is larger than 4 KB"))
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            raise ApiError("CONTENT_TYPE", Text(f"请求体必须是 {_FORM_TYPE}", f"The body must be {_FORM_TYPE}"))

    def _field(self, name: str) -> str:
        return self.request.body_arguments.get(name, [b""])[-1].decode(errors="replace")

    def _finish_page(self, page: str) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(page)


class LogoutHandler(LoginBase):
    """The end of a session in this browser.

    A copy of its cookie stays good until it ends by itself, or all end with another password or AUTH_TOKEN.
    """

    def post(self) -> None:
        """Clear both cookies. A page of another site cannot: the Origin check refuses it."""
        self.take_session()
        self.redirect("/login", status=303)


LOGIN_SPECS = (URLSpec(r"/login$", LoginHandler), URLSpec(r"/logout$", LogoutHandler))
