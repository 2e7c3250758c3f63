"""The services that the API calls, over a runner."""

from backend.api.base import Services
from backend.composition.foundation import Foundation
from backend.composition.stores import StartError
from backend.composition.system import make_system
from backend.core.passwords import Passwords
from backend.core.settings import is_reachable
from backend.domain.task import TaskKind
from backend.runner.edge import Edge
from backend.runner.runner import Runner
from backend.services.account_service import AccountService
from backend.services.artifact_service import ArtifactService
from backend.services.batch_service import BatchService
from backend.services.challenge_service import ChallengeService
from backend.services.code_version import CodeVersion
from backend.services.drift_service import DriftService
from backend.services.event_hub import EventHub
from backend.services.exports.service import ExportService
from backend.services.item_service import ItemService
from backend.services.platform_service import PlatformService
from backend.services.retention_service import BY, RetentionService
from backend.services.set_service import SetService
from backend.services.task_access import TaskAccess
from backend.services.task_requests import TaskDefaults, TaskDrafter
from backend.services.task_service import TaskService
from backend.services.user_directory import UserDirectory
from backend.services.user_service import UserService
from backend.store.item_reads import ItemReads

_OPEN_TO_OTHERS = (
    "其他机器可以访问本服务器，但没有设置 AUTH_TOKEN，也没有用户：请设置 AUTH_TOKEN，或运行 mediacrawer user add，"
    "或改为 HOST=127.0.0.1 / other machines can reach this server (HOST, PUBLIC_URL or TRUSTED_PROXIES),"
    " AUTH_TOKEN is not set and there is no user: set AUTH_TOKEN, or run mediacrawer user add, or HOST=127.0.0.1"
)


async def open_services(base: Foundation, runner: Runner, *, hub: EventHub, code: CodeVersion) -> Services:
    """Make all services; those that work by themselves are started. Raises StartError."""
    stores, clock = base.stores, base.clock
    accounts = await _open_accounts(base)
    users = await _open_users(base)
    drafter = _drafter(base, accounts)
    tasks = _tasks(base, drafter, runner, hub)
    exports = _exports(base)
    return Services(
        tasks=tasks,
        batches=BatchService(tasks, store=stores.tasks, sets=stores.sets, clock=clock, drafter=drafter),
        sets=SetService(stores.tasks, stores.sets, stores.queries, cache=stores.cache, clock=clock, runner=runner),
        items=ItemService(stores.items, stores.frontier),
        artifacts=ArtifactService(stores.artifacts),
        challenges=ChallengeService(stores.challenges),
        accounts=accounts,
        platforms=PlatformService(base.tools.known.values(), logins=accounts.auth_state),
        drift=DriftService(stores.field_counts, stores.queries, platforms=list(base.tools.platforms), clock=clock),
        events=hub,
        exports=exports,
        retention=_retention(base, exports),
        users=users,
        access=TaskAccess(stores.tasks, visibility=base.settings.task_visibility),
        audit=stores.audit,
        system=make_system(base, runner, code=code),
    )


async def _open_accounts(base: Foundation) -> AccountService:
    stores, tools = base.stores, base.tools
    accounts = AccountService(
        *(stores.accounts, tools.logins, tools.browsers), clock=base.clock, box=stores.box, audit=stores.audit
    )
    await accounts.start()
    base.closing.push_async_callback(accounts.stop)
    return accounts


async def _open_users(base: Foundation) -> UserService:
    """Read who there is. Raises StartError where others could reach a server that asks nobody who they are."""
    stores, settings = base.stores, base.settings
    directory = UserDirectory(stores.users, stores.tokens, box=stores.box, forever=Edge().forever)
    base.closing.push_async_callback(directory.stop)
    await directory.start()
    if directory.is_empty and settings.auth_token is None and is_reachable(settings):
        raise StartError(_OPEN_TO_OTHERS)
    return UserService(stores.users, stores.tokens, stores.audit, directory, passwords=Passwords())


def _drafter(base: Foundation, accounts: AccountService) -> TaskDrafter:
    settings, tools = base.settings, base.tools
    defaults = TaskDefaults(
        max_attempts=settings.max_attempts,
        deadline_s={TaskKind.CRAWL: settings.crawl_deadline_s, TaskKind.GENERATE: settings.generate_deadline_s},
        is_held=settings.execution_mode == "held",
    )
    return TaskDrafter(tools.known, policy=tools.policy, defaults=defaults, login_notice=accounts.notice_of)


def _tasks(base: Foundation, drafter: TaskDrafter, runner: Runner, hub: EventHub) -> TaskService:
    stores = base.stores
    return TaskService(
        *(stores.tasks, stores.queries, stores.events),
        cache=stores.cache,
        clock=base.clock,
        drafter=drafter,
        runner=runner,
        hub=hub,
        challenges=stores.challenges,
        audit=stores.audit,
    )


def _exports(base: Foundation) -> ExportService:
    stores, tools = base.stores, base.tools
    made = ExportService(
        *(ItemReads(stores.database), stores.queries),
        work_folder=stores.artifacts.work_folder,
        children=tools.children,
        platforms={name: one.info for name, one in tools.known.items()},
        clock=base.clock,
        audit=stores.audit,
    )
    base.closing.push_async_callback(made.stop)
    return made


def _retention(base: Foundation, exports: ExportService) -> RetentionService:
    stores, settings = base.stores, base.settings

    async def purge(task_id: str) -> bool:
        is_gone = await stores.tasks.hide(task_id)
        if is_gone:
            await stores.audit.add("task.purged", by=BY, subject=task_id)
        return is_gone

    return RetentionService(
        *(stores.retention, settings.retention_days),
        purge=purge,
        is_reading=lambda: exports.live > 0,
        data_dir=settings.data_dir,
        clock=base.clock,
    )
