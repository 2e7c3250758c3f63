"""SIGTERM at a random moment of an outage: the server leaves in time and in order, and its tasks go on elsewhere."""

import asyncio
import random
from dataclasses import dataclass, field

from bench.harness.server import ServerError
from bench.outage.faults import Fault
from bench.outage.house import House

EACH = 3
_LONGEST_S = 4.0
_ENDS_WITHIN_S = 90.0


@dataclass(slots=True)
class Departure:
    """How the server left. `problems`: an exit code that is not 0, no exit, tasks lost, books that do not add up."""

    fault: str
    took_s: float
    paid_twice: int = 0
    problems: list[str] = field(default_factory=list)


async def leave(house: House, fault: Fault, dice: random.Random) -> Departure:
    """Load the first server, take its store away, stop it, bring the store back, and see every task to its end."""
    load = await house.loader.begin(house.first, each=EACH)
    await fault.begin(house.stores)
    await asyncio.sleep(dice.uniform(0, _LONGEST_S))
    problems = []
    begun = asyncio.get_running_loop().time()
    try:
        took_s = await house.first.terminate()
    except ServerError as error:
        took_s = asyncio.get_running_loop().time() - begun
        problems.append(str(error).splitlines()[0])
        await house.first.kill()
    await fault.undo(house.stores)
    await house.first.start()
    sums = await house.loader.end(house.second, load, within_s=house.lease_s + _ENDS_WITHIN_S)
    problems += [f"lost: {one}" for one in sums.lost] + [f"books: {one}" for one in sums.unbalanced]
    return Departure(fault.name, took_s, sums.paid_twice, problems)
