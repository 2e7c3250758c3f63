"""What reaches the outside: the network gate, child processes, browsers, platforms and providers."""

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import backend
from backend.composition.stores import StartError, Stores
from backend.core.children import Children
from backend.core.clock import Clock
from backend.core.http import HttpGate, NetworkPolicy
from backend.core.settings import Settings, vendor_environ
from backend.crawl.browser import BrowserOptions, Browsers
from backend.crawl.login import LoginFlow, load_logins
from backend.crawl.login_guard import AccountSessions, LoginGuard, with_logins
from backend.crawl.registry import PlatformRegistry, load_platforms, with_browsers
from backend.generate.registry import ProviderRegistry, load_providers
from backend.services.task_requests import Platform

USER_AGENT = f"MediaCrawerPro/{backend.__version__} (self-hosted; contact: the operator of this address)"


@dataclass(frozen=True, slots=True)
class Tools:
    """What reaches the outside: the network gate, child processes, browsers, and the platforms that use them."""

    gate: HttpGate
    children: Children
    browsers: Browsers
    policy: NetworkPolicy
    platforms: PlatformRegistry
    providers: ProviderRegistry
    logins: Mapping[str, LoginFlow]

    @property
    def known(self) -> dict[str, Platform]:
        """Everything a task can name as its platform."""
        return {**self.platforms, **self.providers}


async def open_tools(settings: Settings, clock: Clock, stores: Stores, closing: AsyncExitStack) -> Tools:
    """Open the gate and the rooms of children and browsers, and load every platform and provider. Raises StartError."""
    environ = vendor_environ(settings)
    try:
        platforms, providers, logins = load_platforms(environ), load_providers(environ), load_logins(environ)
    except ValueError as error:
        raise StartError(str(error)) from error
    policy = NetworkPolicy(
        allow_private=tuple(str(network) for network in settings.allow_private_networks),
        trusted_origins=platforms.trusted_origins | providers.trusted_origins,
        denied=frozenset({("*", settings.port), *_store_addresses(settings)}),
    )
    gate = HttpGate(policy=policy, user_agent=USER_AGENT, trusted_limit=max(200, settings.max_running_tasks))
    await gate.start()
    closing.push_async_callback(gate.stop)
    children = Children()
    await children.start()
    closing.push_async_callback(children.stop)
    browsers = _browsers(settings, policy, stores)
    await browsers.start()
    closing.push_async_callback(browsers.stop)
    guard = LoginGuard(stores.accounts, clock=clock)
    readable = with_logins(with_browsers(platforms, browsers.availability), guard)
    return Tools(gate, children, browsers, policy, readable, providers, logins)


def _browsers(settings: Settings, policy: NetworkPolicy, stores: Stores) -> Browsers:
    is_sandboxed = {"auto": None, "on": True, "off": False}[settings.browser_sandbox]
    options = BrowserOptions(
        mode=settings.browser_mode,
        cdp_url=settings.browser_cdp_url,
        path=settings.browser_path,
        max_tabs=settings.browser_max_tabs,
        idle_s=settings.browser_idle_s,
        is_sandboxed=is_sandboxed,
    )
    folder, sessions = settings.data_dir / "browser", AccountSessions(stores.accounts)
    return Browsers(options, folder=folder, policy=policy, sessions=sessions)


def _store_addresses(settings: Settings) -> Iterator[tuple[str, int]]:
    """Yield what the gate must never reach: the stores' own ports, wherever a name leads."""
    for url, default_port in ((settings.mongodb_url, 27_017), (settings.redis_url, 6_379)):
        if url is not None and not url.startswith("unix:"):
            hosts = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
            for host in hosts.split(","):
                port = host.rpartition(":")[2]
                yield "*", int(port) if port.isdigit() else default_port
