"""The parts of `python -m bench faults`: a fleet of servers under random faults, and an audit from outside."""
