"""Scrapy: the spider that Scrapyd runs, and its settings (this module is both)."""

import os
from collections.abc import Iterator
from typing import Any

import scrapy

BOT_NAME = "chains"
SPIDER_MODULES = ["chain_spider"]
ROBOTSTXT_OBEY = False
LOG_LEVEL = "ERROR"
TELNETCONSOLE_ENABLED = False


class ChainSpider(scrapy.Spider):
    """Fetches the chain of pages of the job it is given."""

    name = "chain"

    def __init__(self, job: str, **more: Any) -> None:
        super().__init__(**more)
        self.start_urls = [f"{os.environ['SITE']}/t/{job}/0"]

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow the link to the next page."""
        yield {"url": response.url}
        yield from response.follow_all(css="a")
