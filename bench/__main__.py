"""`python -m bench` lists the measurements; `python -m bench NAME [--json] [options]` runs one.

A measurement is a module `bench/NAME.py` with `add_arguments(parser)` and `run(args) -> Report`.
It exits with 1 when a goal is missed.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from bench.report import Report

_NOT_MEASUREMENTS = {"report"}


def names() -> list[str]:
    """Return the names of the measurements, sorted."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    modules = (module.name for module in found if not module.ispkg)
    return sorted(name for name in modules if not name.startswith("_") and name not in _NOT_MEASUREMENTS)


def main(arguments: Sequence[str]) -> int:
    """Run the measurement the arguments name; return the exit code."""
    if not arguments or arguments[0] not in names():
        print("python -m bench NAME [--json]; NAME is one of:", *names(), sep="\n  ")
        return 2 if arguments and arguments[0] not in {"-h", "--help"} else 0
    name = arguments[0]
    module = importlib.import_module(f"bench.{name}")
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}", description=module.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    module.add_arguments(parser)
    options = parser.parse_args(arguments[1:])
    report = cast("Callable[[argparse.Namespace], Report]", module.run)(options)
    if options.json:
        print(report.to_json())
    else:
        report.print_table()
    return 0 if report.is_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
