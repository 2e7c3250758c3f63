"""Clients and plumbing that know nothing of tasks."""
