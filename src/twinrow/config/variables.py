"""`${NAME}` in the texts of a configuration: the environment's variables, put in after TOML is parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from twinrow.errors import ConfigError

VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def fill(value: Any, variables: Mapping[str, str], place: str, key: str = "$") -> Any:
    """Every `${NAME}` in every text but the URL's, replaced. Raises ConfigError for a variable that is not set."""
    if isinstance(value, dict):
        return {
            name: inner if (key, name) == ("$.mysql", "url") else fill(inner, variables, place, f"{key}.{name}")
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [fill(inner, variables, place, f"{key}[{n}]") for n, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    return VARIABLE.sub(lambda match: variable(match[1], variables, place, key), value)


def variable(name: str, variables: Mapping[str, str], place: str, key: str) -> str:
    """The value of a variable. Raises ConfigError when it is not set."""
    if name not in variables:
        raise ConfigError(
            f"the variable {name} in `{key.removeprefix('$.')}` is not set", where=place, remedy=f"export {name}=…"
        )
    return variables[name]
