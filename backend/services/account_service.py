"""Accounts on platforms: kept, checked, logged in, removed; and how each platform's login stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from loguru import logger

from backend.core.clock import Clock
from backend.core.secrets import SecretBox
from backend.crawl.browser import Browsers
from backend.crawl.login import LoggedIn, LoginFlow, LoginVisit
from backend.crawl.login_guard import LOGIN_AGAIN, NEEDS_LOGIN, expired_text
from backend.domain.account import FIRST_PROFILE, Account, AuthState, Cookie
from backend.domain.errors import (
    MediaCrawerError,
    NeedsPersonError,
    NotFoundError,
    PlatformUnavailableError,
    SecretsKeyError,
    StateConflictError,
    TaskFailedError,
)
from backend.domain.task import Notice
from backend.domain.text import Text
from backend.services.account_cookies import read_cookies
from backend.services.account_logins import Login, LoginDesk, LoginLimits
from backend.store.accounts import AccountStore
from backend.store.accounts import Login as StoredLogin
from backend.store.audit import AuditStore

_FIRST_LABEL = "默认账号"
_IN_USE = Text("这个账号正在登录或检查中", "This account is being logged in or checked")


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as it is shown. `state` is how its login stands now."""

    account: Account
    state: AuthState
    is_default: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; `error` says why it could not tell, and `error_name` is its stable word."""

    view: AccountView
    error_name: str | None = None
    error: MediaCrawerError | None = None


class AccountService:
    """What callers can do with accounts. Started and stopped on the server's loop."""

    def __init__(
        self,
        accounts: AccountStore,
        flows: Mapping[str, LoginFlow],
        browsers: Browsers,
        *,
        clock: Clock,
        box: SecretBox,
        limits: LoginLimits | None = None,
        audit: AuditStore | None = None,
    ) -> None:
        """`flows` are the logins that platforms offer, by platform."""
        self._accounts = accounts
        self._flows = flows
        self._browsers = browsers
        self._clock = clock
        self._box = box
        self._limits = limits or LoginLimits()
        self._audit = audit
        self._checking: set[str] = set()
        self._defaults: dict[str, Account] = {}
        self.desk = LoginDesk(flows, browsers, clock=clock, keep=self._keep, limits=self._limits)

    async def start(self) -> None:
        """Read how the logins stand."""
        await self.refresh()

    async def stop(self) -> None:
        """End every login that is under way."""
        await self.desk.stop()

    # -- how logins stand ----------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read anew what other servers have changed."""
        found: dict[str, Account] = {}
        for one in await self._accounts.list():
            found.setdefault(one.platform, one)
        self._defaults = found

    def auth_state(self, platform: str) -> AuthState | None:
        """Return how the login of a platform's default account stands; None for a platform without a login of ours."""
        if platform not in self._flows:
            return None
        account = self._defaults.get(platform)
        if account is not None:
            return account.state_at(self._clock.now())
        way = self._browsers.way()
        may_be_in = (way is not None and way.value == "attach") or self._browsers.has_profile(platform, FIRST_PROFILE)
        return AuthState.UNKNOWN if may_be_in else AuthState.MISSING

    def notice_of(self, platform: str) -> Notice | None:
        """Return what to say of a new task whose login is known to have ended, or None."""
        account = self._defaults.get(platform)
        if account is None or account.state_at(self._clock.now()) is not AuthState.EXPIRED:
            return None
        return Notice(NEEDS_LOGIN, expired_text(account.label), LOGIN_AGAIN)

    @property
    def key_problem(self) -> SecretsKeyError | None:
        """What is wrong with the key of this server's secrets, or None."""
        return self._box.problem

    # -- reading and changing ------------------------------------------------------------------------------------

    async def list(self, platform: str | None = None) -> list[AccountView]:
        """Return the accounts, the default one of each platform first."""
        views: list[AccountView] = []
        seen: set[str] = set()
        for one in await self._accounts.list(platform):
            views.append(AccountView(one, one.state_at(self._clock.now()), one.platform not in seen))
            seen.add(one.platform)
        return views

    async def get(self, account_id: str) -> AccountView:
        """Return an account. Raises NotFoundError."""
        return await self._view(await self._accounts.get(account_id))

    async def create(self, platform: str, label: str, *, cookies: str | None, by: str) -> AccountView:
        """Add an account, with a session when cookies are given.

        Raises NotFoundError, ValidationFailedError, NameTakenError, SecretsKeyError, BusyError.
        """
        flow = self.flow_of(platform)
        login = None if cookies is None else _given(read_cookies(cookies, flow), flow)
        state = AuthState.MISSING if login is None else AuthState.UNKNOWN
        made = await self._accounts.create(platform, label, by=by, login=login, state=state)
        await self._record("created", made, by=by)
        logger.info("🔑 账号已添加: {} {} by {}", platform, made.account_id, by)
        await self.refresh()
        return await self._view(made)

    async def change(
        self, account_id: str, *, label: str | None, cookies: str | None, is_default: bool, by: str
    ) -> AccountView:
        """Rename an account, replace its session, make it the default. Raises the same as `create`."""
        account = await self._accounts.get(account_id)
        if cookies is not None:
            flow = self.flow_of(account.platform)
            login = _given(read_cookies(cookies, flow), flow)
            self._refuse_when_busy(account)
            await self._browsers.end_unused(account.platform, account.profile)
            account = await self._accounts.put_login(
                account_id, login, what="cookies_set", by=by, state=AuthState.UNKNOWN
            )
            await self._record("cookies_set", account, by=by)
            logger.info("🔑 账号的 Cookie 已替换: {} by {}", account_id, by)
        if label is not None and label != account.label:
            account = await self._accounts.rename(account_id, label, by=by)
        if is_default:
            account = await self._accounts.prefer(account_id, by=by)
        await self.refresh()
        return await self._view(account)

    async def remove(self, account_id: str, *, by: str) -> None:
        """Remove an account: its session, and its browser's profile on this server.

        Raises NotFoundError, StateConflictError while it is logged in or checked, BusyError while a task uses it.
        """
        account = await self._accounts.get(account_id)
        self._refuse_when_busy(account)
        await self._browsers.remove_profile(account.platform, account.profile)
        await self._accounts.remove(account_id)
        await self._record("removed", account, by=by)
        logger.info("🔑 账号已删除: {} {} by {}", account.platform, account_id, by)
        await self.refresh()

    async def _record(self, what: str, account: Account, *, by: str) -> None:
        if self._audit is not None:
            detail = f"{account.platform} {account.label}"
            await self._audit.add(f"account.{what}", by=by, subject=account.account_id, detail=detail)

    # -- checking and logging in ---------------------------------------------------------------------------------

    async def check(self, account_id: str) -> Checked:
        """Open the platform in the account's browser and see whether somebody is logged in.

        What cannot be told leaves the state as it is. Raises NotFoundError, StateConflictError while it is logged in
        or checked, PlatformUnavailableError without a browser.
        """
        account = await self._accounts.get(account_id)
        flow = self.flow_of(account.platform)
        self._refuse_when_busy(account)
        self._refuse_without_browser()
        self._checking.add(account_id)
        try:
            await self._accounts.session_of(account)
            return await self._seen(account, flow)
        except (TaskFailedError, NeedsPersonError, SecretsKeyError) as error:
            return Checked(await self._view(account), _name_of(error), error)
        finally:
            self._checking.discard(account_id)
            await self.refresh()

    async def log_in(self, platform: str, *, account: str | None, label: str | None, by: str) -> Login:
        """Begin a login of an account (id or label; none: the default one, made when the login went well).

        Raises NotFoundError, StateConflictError, BusyError, PlatformUnavailableError without a browser.
        """
        self.flow_of(platform)
        found = await self._meant(platform, account)
        self._refuse_without_browser()
        if found is not None and found.account_id in self._checking:
            raise StateConflictError(_IN_USE)
        shown = found.label if found is not None else label or _FIRST_LABEL
        return self.desk.open(platform, found, label=shown, by=by)

    async def login_of(self, platform: str, *, account: str | None) -> Login:
        """Return the login of an account that is under way, or has just ended. Raises NotFoundError."""
        self.flow_of(platform)
        found = await self._meant(platform, account)
        return self.desk.of(platform, FIRST_PROFILE if found is None else found.profile)

    def flow_of(self, platform: str) -> LoginFlow:
        """Return a platform's login. Raises NotFoundError when it has none."""
        if platform not in self._flows:
            shown = platform[:40]
            raise NotFoundError(Text(f"平台 {shown} 没有登录", f"The platform {shown} has no login"))
        return self._flows[platform]

    # -- below ---------------------------------------------------------------------------------------------------

    async def _meant(self, platform: str, account: str | None) -> Account | None:
        if account is None:
            return await self._accounts.default_of(platform)
        found = await self._accounts.find(platform, account)
        if found is None:
            raise NotFoundError(Text("没有这个账号", "No such account"))
        return found

    async def _keep(self, login: Login, found: LoggedIn) -> Account:
        """Store what a login brought; a key that is missing costs the copy of the session, not the login."""
        session = self._flows[login.platform].session_in(found.cookies or ())
        stored = StoredLogin(found.cookies, found.expires_at, session[0].value if session else None)
        if self._box.problem is not None:
            stored = StoredLogin(None, found.expires_at)
        account_id = login.account_id
        if account_id is None:
            account_id = (await self._accounts.create(login.platform, login.label, by=login.by)).account_id
        account = await self._accounts.put_login(account_id, stored, what="login", by=login.by, state=AuthState.OK)
        if stored.cookies is not None:
            self._browsers.know_session(account.platform, account.profile, account.session_version)
        await self.refresh()
        return account

    async def _seen(self, account: Account, flow: LoginFlow) -> Checked:
        visit = LoginVisit(
            self._browsers, flow, platform=account.platform, account=account.account_id, pace=self._limits.pace
        )
        async with visit:
            said = await visit.is_logged_in()
            expires_at = (await visit.found()).expires_at if said else None
        state = AuthState.UNKNOWN if said is None else AuthState.OK if said else AuthState.EXPIRED
        noted = await self._accounts.note_state(account.account_id, state, expires_at=expires_at)
        logger.info("🔑 账号已检查: {} {} {}", account.platform, account.account_id, state.value)
        return Checked(await self._view(noted or account))

    async def _view(self, account: Account) -> AccountView:
        default = await self._accounts.default_of(account.platform)
        is_default = default is not None and default.account_id == account.account_id
        return AccountView(account, account.state_at(self._clock.now()), is_default)

    def _refuse_when_busy(self, account: Account) -> None:
        if account.account_id in self._checking or self.desk.is_busy(account.platform, account.profile):
            raise StateConflictError(_IN_USE)

    def _refuse_without_browser(self) -> None:
        now = self._browsers.availability()
        if not now.available:
            raise PlatformUnavailableError(now.message or Text("没有可用的浏览器", "No browser"), advice=now.advice)


def _given(cookies: list[Cookie], flow: LoginFlow) -> StoredLogin:
    session = flow.session_in(cookies)
    return StoredLogin(cookies, flow.ends_at(cookies), session[0].value if session else None)


def _name_of(error: MediaCrawerError) -> str:
    if isinstance(error, TaskFailedError):
        return error.error_name
    if isinstance(error, SecretsKeyError):
        return error.reason
    return error.code if isinstance(error, NeedsPersonError) else error.name
