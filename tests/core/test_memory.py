import platform
import subprocess
import sys

import pytest

from backend.core.settings import ROOT

HEAPS = """
import ctypes, tempfile, threading
from backend.core.memory import bound_arenas

assert bound_arenas()
barrier, over = threading.Barrier(9), threading.Event()

def work():
    kept = [b"x" * 10_000 for _ in range(10)]
    barrier.wait()
    over.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
barrier.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as out:
    file = ctypes.c_void_p(libc.fopen(out.name.encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(out.read().count(b"<heap "))
over.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc makes a heap for each thread")
def test_eight_threads_share_two_heaps() -> None:
    # A process of its own: heaps that were made before stay.
    done = subprocess.run([sys.executable, "-c", HEAPS], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) <= 2
