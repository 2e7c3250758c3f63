"""Accounts as crawls meet them: whose browser is opened, and no task spent on a login that is known to have ended."""

from collections.abc import Mapping
from typing import Any

from loguru import logger

from backend.core.clock import Clock
from backend.crawl.platform import CrawlPlatform, CrawlTools
from backend.crawl.registry import PlatformRegistry
from backend.domain.account import FIRST_PROFILE, Account, AuthState, Session
from backend.domain.errors import NeedsPersonError, NotFoundError, SecretsKeyError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, PlatformInfo
from backend.domain.task import Books, Ending, StopReason, Task
from backend.domain.text import Text
from backend.store.accounts import AccountStore

NEEDS_LOGIN = "NEEDS_LOGIN"
LOGIN_AGAIN = Text(
    "在“账号”页面重新登录后点“继续”；若已在浏览器里登录，直接点“继续”",
    "Log in again on the accounts page, then resume; if you have logged in with the browser, just resume",
)


class AccountSessions:
    """Finds what the browser of an account is started with. No account at all: the profile of the same name."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def session_of(self, platform: str, account: str) -> Session:
        """Return profile and stored session of an account, by id or label; `default` is the default account's.

        Raises NotFoundError. A stored session that cannot be opened is left alone: the profile may have its own.
        """
        found = await self._find(platform, account)
        if found is None:
            return Session(FIRST_PROFILE)
        try:
            return await self._accounts.session_of(found)
        except SecretsKeyError as error:
            logger.warning(
                "🔑 {}: 账号 {} 保存的会话无法读取 / stored session not readable", error.reason, found.account_id
            )
            return Session(found.profile)

    async def _find(self, platform: str, account: str) -> Account | None:
        found = await self._accounts.find(platform, account)
        if found is None and account != FIRST_PROFILE:
            raise NotFoundError(Text("没有这个账号", "No such account"))
        return found


class LoginGuard:
    """Asks, before a task of a platform is begun, how its login stands; and notes what the task found out."""

    def __init__(self, accounts: AccountStore, *, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def admit(self, task: Task) -> str | None:
        """Return the id of the account whose login the task uses, None when the platform has none.

        A platform may take the account as its parameter `account` (id or label); without it the default one counts.
        Raises NeedsPersonError NEEDS_LOGIN when its login has ended, unless a person has resumed the task since.
        """
        named = task.params.get("account")
        account = await (
            self._accounts.find(task.platform, named)
            if isinstance(named, str)
            else self._accounts.default_of(task.platform)
        )
        if account is None:
            return None
        if account.state_at(self._clock.now()) is AuthState.EXPIRED and not _was_resumed_after(task, account):
            raise NeedsPersonError(NEEDS_LOGIN, expired_text(account.label), action=LOGIN_AGAIN)
        return account.account_id

    async def note_ended(self, account_id: str) -> None:
        """Note that a task has met the login page."""
        await self._accounts.note_state(account_id, AuthState.EXPIRED)

    async def note_went_well(self, account_id: str) -> None:
        """Note that a task has worked with a login that counted as ended."""
        account = await self._accounts.get(account_id)
        if account.state_at(self._clock.now()) is AuthState.EXPIRED:
            await self._accounts.note_state(account_id, AuthState.UNKNOWN)


class GuardedPlatform:
    """A platform whose tasks wait while its login is known to have ended."""

    def __init__(self, platform: CrawlPlatform, guard: LoginGuard) -> None:
        self._platform = platform
        self._guard = guard

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""
        return self._platform.info

    def availability(self) -> Availability:
        """Whether it can run now."""
        return self._platform.availability()

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the platform's title of a task."""
        return self._platform.title_of(params)

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Return the platform's execution of one attempt, behind the guard."""
        return _Guarded(self._platform.begin(context, tools), context.reach(self._guard), context)


class _Guarded:
    """An execution that begins only with a login that is not known to have ended."""

    def __init__(self, inner: Execution, guard: LoginGuard, context: TaskContext) -> None:
        self._inner = inner
        self._guard = guard
        self._context = context

    async def run(self) -> Ending:
        account_id = await self._guard.admit(self._context.task)
        try:
            ending = await self._inner.run()
        except NeedsPersonError as error:
            if account_id is not None and error.code == NEEDS_LOGIN:
                await self._noted(self._guard.note_ended(account_id))
            raise
        if account_id is not None:
            await self._noted(self._guard.note_went_well(account_id))
        return ending

    async def _noted(self, writing: Any) -> None:
        try:
            await writing
        except NotFoundError:
            # Removed while the task ran.
            logger.debug("the account of task {} is gone", self._context.task.task_id)

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        return await self._inner.conclude(context, reason)


def with_logins(platforms: PlatformRegistry, guard: LoginGuard) -> PlatformRegistry:
    """Return the same platforms, those that need a login guarded."""
    return PlatformRegistry([GuardedPlatform(one, guard) if one.info.needs_auth else one for one in platforms.values()])


def expired_text(label: str) -> Text:
    """Return what is said of a login that has ended."""
    return Text(f"账号“{label}”的登录已过期", f"The login of the account {label} has expired")


def _was_resumed_after(task: Task, account: Account) -> bool:
    known_at = account.checked_at if account.state is AuthState.EXPIRED else account.expires_at
    resumed_at = next((one.at for one in reversed(task.history) if one.reason == "resumed"), None)
    return resumed_at is not None and known_at is not None and resumed_at > known_at
