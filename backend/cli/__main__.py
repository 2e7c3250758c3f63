"""`python -m backend.cli`: the same as `mediacrawer`."""

from backend.cli import main

main()
