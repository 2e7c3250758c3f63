"""Servers that die, freeze or stall at a named step, and what must be so afterwards, looked at from outside."""
