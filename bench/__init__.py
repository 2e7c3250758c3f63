"""What we measure, against whom: `python -m bench NAME [--json]`."""
