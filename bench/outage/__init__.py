"""What happens to a server under load whose MongoDB or Redis goes away: the parts of `python -m bench outages`."""
