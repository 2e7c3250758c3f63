"""`python -m backend`: the same server as `python backend/main.py`."""

import runpy

runpy.run_module("backend.main", run_name="__main__")
