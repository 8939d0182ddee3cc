"""Writes the pages that are made: docs/cli.md, docs/config.md, docs/twinrow.schema.json, docs/reviews.ipynb.

python tools/write_docs.py            write them
python tools/write_docs.py --check    write nothing; exit 1 when one is not what the code says (a test runs this)
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer.main

from twinrow.app.cli import app
from twinrow.config.shapes import WholeFile, shapes

sys.path.insert(0, str(Path(__file__).parent))  # a test loads this file by its path
from notebook import notebook

DOCS = Path(__file__).resolve().parent.parent / "docs"
TITLE = "twinrow.toml"
MADE = "<!-- Made from the code by tools/write_docs.py: `make docs` writes it anew. -->\n"

CONFIG_INTRO = """# twinrow.toml

One file names both servers and the tables. `twinrow init` writes it; `-c FILE` names another than `twinrow.toml`.

- Any text may hold `${NAME}`. It takes an environment variable, put in after TOML and URL are parsed, so any password
  works as it is.
- An unknown key, a wrong type or an unset variable is an error that names key and place. Nothing is started then.
- Editors complete and check the file by [twinrow.schema.json](twinrow.schema.json): write
  `#:schema ./docs/twinrow.schema.json` as its first line where the editor knows that form.
- What happens when a setting of a table already copied is changed: [config-changes.md](config-changes.md).

```toml
[dynamodb]
region = "us-east-1"

[mysql]
url = "mysql://twinrow:${MYSQL_PASSWORD}@db.example.com:3306/analytics?ssl_ca=/etc/ssl/rds.pem"

[[tables]]
name = "reviews"
capture = "pending-index"

[tables.pending_index]
index = "migrated-index"
attribute = "migrated"
pending = ["false"]

[tables.columns.visited_at]
type = "DATETIME(3)"
from = "epoch_ms"
```
"""

CLI_INTRO = """# Commands

Results go to stdout, everything else to stderr. `--json` gives one document on stdout. `TABLE` is the table's `name` in
the configuration; none named means all.

| exit code | means |
|---|---|
| 0 | in step, or done |
| 1 | an error |
| 2 | usage, configuration, or a refusal to start; nothing was done |
| 3 | differences or dead letters found |
"""

SECTIONS = (
    ("File", "top of the file"), ("MySQLTable", "[mysql]"), ("DynamoDBConfig", "[dynamodb]"), ("S3Config", "[s3]"),
    ("SyncConfig", "[sync]"), ("ProtectConfig", "[protect]"),
    ("SourceConfig", "[[sources]]"), ("Defaults", "[defaults]"), ("TableConfig", "[[tables]]"),
    ("PendingIndexConfig", "[tables.pending_index]"), ("ExportConfig", "[tables.export]"),
    ("ColumnConfig", "[tables.columns.ATTRIBUTE]"), ("RuleConfig", "[tables.protect.ATTRIBUTE]"),
    ("EntityConfig", "[[tables.entities]]"), ("SplitConfig", "[tables.split]"),
)  # fmt: skip


def schema() -> dict[str, Any]:
    """The JSON Schema of twinrow.toml."""
    made = msgspec.json.schema(WholeFile)
    whole = shapes()
    for name, told in made["$defs"].items():
        for field in msgspec.structs.fields(whole[name]):
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory() or msgspec.NODEFAULT
            # msgspec leaves out the defaults that are made anew each time, and those of settings given in part
            if default is not msgspec.NODEFAULT and not isinstance(default, msgspec.Struct):
                told["properties"][field.encode_name].setdefault("default", default)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **made}


def schema_text() -> str:
    """The JSON Schema as the file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def config_page() -> str:
    """docs/config.md."""
    told = schema()["$defs"]
    parts = [CONFIG_INTRO]
    for name, heading in SECTIONS:
        parts.append(f"## `{heading}`\n\n{inspect.cleandoc(told[name]['description'])}\n")
        if name != "Defaults":  # its keys are those of [[tables]]
            parts.append("| key | type | default | what |\n|---|---|---|---|")
            parts.append("\n".join(_settings(told[name], _required(name))) + "\n")
    return MADE + "\n" + "\n".join(parts)


def _required(name: str) -> set[str]:
    """The keys that have no default; a file may leave them to another file, or to `[defaults]`."""
    return {
        field.encode_name
        for field in msgspec.structs.fields(shapes()[name])
        if field.default is field.default_factory is msgspec.NODEFAULT
    }


def _settings(section: dict[str, Any], required: set[str]) -> Iterator[str]:
    for key, told in section["properties"].items():
        if any("$ref" in one for one in (told, told.get("items", {}), *told.get("anyOf", ()))):
            continue
        what = told.get("description", "").replace("|", "\\|")
        default = "" if key in required else _default(told.get("default"))
        yield f"| `{key}` | {_type(told)} | {default or '**required**'} | {what} |"


def _default(value: Any) -> str:
    if value is None or value == {}:
        return "not set"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(told: dict[str, Any]) -> str:
    if "anyOf" in told:
        return " or ".join(dict.fromkeys(_type(one) for one in told["anyOf"] if one.get("type") != "null"))
    if "enum" in told:
        return " or ".join(f'`"{one}"`' for one in told["enum"])
    kind = told.get("type")
    if isinstance(kind, list):
        return " or ".join(dict.fromkeys(_plain(one) for one in kind if one != "null"))
    if kind == "array":
        return f"list of {_type(told['items'])}"
    limits = [f"from {told['minimum']}"] if "minimum" in told else []
    limits += [f"above {told['exclusiveMinimum']}"] if "exclusiveMinimum" in told else []
    limits += [f"to {told['maximum']}"] if "maximum" in told else []
    return " ".join([_plain(str(kind)), *limits])


def _plain(kind: str) -> str:
    return {"string": "text", "integer": "number", "boolean": "true or false", "object": "table"}.get(kind, kind)


def cli_page() -> str:
    """docs/cli.md."""
    command = typer.main.get_command(app)
    parts = [CLI_INTRO]
    for words, one in _commands(command, ["twinrow"]):
        parts.append(_command(words, one))
    return MADE + "\n" + "\n".join(parts)


def _commands(command: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    if len(words) == 1:
        yield words, command
    for name in inner:
        if not inner[name].hidden:
            yield from _commands(inner[name], [*words, name])


def _command(words: list[str], command: Any) -> str:
    told, _, example = inspect.cleandoc(command.help or "").replace("\b\n", "").partition("Example:\n")
    places = [
        f"[{one.metavar or one.name.upper()}]…" for one in command.params if _is_argument(one) and not one.required
    ]
    places += [one.metavar or one.name.upper() for one in command.params if _is_argument(one) and one.required]
    if getattr(command, "commands", None):
        places.append("COMMAND …")
    lines = [f"## {' '.join(words)}", "", "```", " ".join([*words, "[OPTIONS]", *places]), "```", "", told.strip(), ""]
    if example.strip():
        lines += ["```sh", inspect.cleandoc("\n" + example), "```", ""]
    rows = [_parameter(one) for one in command.params if "--help" not in one.opts]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _is_argument(one: Any) -> bool:
    return bool(one.param_type_name == "argument")


def _parameter(one: Any) -> str:
    names = one.metavar or one.name.upper() if _is_argument(one) else ", ".join([*one.opts, *one.secondary_opts])
    takes = "" if _is_argument(one) or one.is_flag else f" {one.metavar or one.name.upper()}"
    default = "" if _is_argument(one) or one.default in (None, False) else f" Default: {one.default}."
    help_text = " ".join((getattr(one, "help", None) or "").split()).replace("|", "\\|")
    names = names.replace("|", "\\|")
    return f"| `{names}{takes}` | {help_text}{default} |"


def notebook_text() -> str:
    """docs/reviews.ipynb, made from the Python of docs/pandas.md."""
    return notebook((DOCS / "pandas.md").read_text(encoding="utf-8"))


PAGES = {
    "cli.md": cli_page, "config.md": config_page, "twinrow.schema.json": schema_text, "reviews.ipynb": notebook_text,
}  # fmt: skip


def stale() -> list[str]:
    """The pages whose file is not what the code says."""
    found = []
    for name, make in PAGES.items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != make():
            found.append(name)
    return found


def main() -> int:
    """Write the pages, or with --check tell which are stale; the exit code."""
    old = stale()
    if "--check" in sys.argv[1:]:
        for name in old:
            print(f"docs/{name} is not what the code says: run `make docs`", file=sys.stderr)
        return 1 if old else 0
    DOCS.mkdir(exist_ok=True)
    for name in old:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
