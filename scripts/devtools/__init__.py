"""The parts of scripts/dev.py. Standard library only: they work before anything is installed."""
