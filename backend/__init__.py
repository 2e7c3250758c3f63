"""MediaCrawer Pro: a task backend that stops when told, loses nothing and tells the truth about how a task ended."""

__version__ = "0.1.0"
