"""The page at /docs: the OpenAPI document as plain HTML, without scripts and without anything from outside."""

from html import escape
from typing import Any

import orjson

Json = dict[str, Any]

_STYLE = """
body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2129;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #d9dde3}summary{cursor:pointer;padding:.4rem 0}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:#f5f6f8;padding:1rem;overflow:auto;border-radius:6px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;
border-bottom:1px solid #e6e8ec}.verb{display:inline-block;min-width:4.5rem;font-weight:700}
@media(prefers-color-scheme:dark){body{color:#e5e6eb;background:#17181a}pre{background:#232427}
h2,td,th{border-color:#3a3b3f}a{color:#8ab4ff}}
"""


def render_docs(document: Json) -> str:
    """Return the page of an OpenAPI document; every word of it is escaped."""
    by_tag: dict[str, list[str]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, verb, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in by_tag.items())
    schemas = "".join(_schema(name, one) for name, one in document["components"]["schemas"].items())
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        '<p>HTTP API · OpenAPI 3.1: <a href="/openapi.json"><code>/openapi.json</code></a></p>'
        f"{sections}<h2>schemas</h2>{schemas}</body></html>\n"
    )


def _operation(path: str, verb: str, operation: Json) -> str:
    words = f"<code>{escape(path)}</code> {escape(operation['summary'])}"
    parts = f"{_parameters(operation)}{_body(operation)}{_answers(operation)}"
    return f'<details><summary><span class="verb">{escape(verb.upper())}</span>{words}</summary>{parts}</details>'


def _parameters(operation: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{escape(one.get('description') or one['schema'].get('description', ''))}"
        f" <code>{escape(_short(one['schema']))}</code></td></tr>"
        for one in operation["parameters"]
    )
    return f"<table>{rows}</table>" if rows else ""


def _body(operation: Json) -> str:
    if "requestBody" not in operation:
        return ""
    return f"<p>body:</p>{_pre(operation['requestBody']['content']['application/json']['schema'])}"


def _answers(operation: Json) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td><td>{_names(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return f"<table>{rows}</table>"


def _names(answer: Json) -> str:
    found = sorted(set(_references(answer)))
    return ", ".join(f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>' for name in found)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [name for one in value.values() for name in _references(one)]
    return [name for one in value for name in _references(one)] if isinstance(value, list) else []


def _schema(name: str, schema: Json) -> str:
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_pre(schema)}</details>'


def _short(schema: Json) -> str:
    return orjson.dumps({key: one for key, one in schema.items() if key not in {"title", "description"}}).decode()


def _pre(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"
