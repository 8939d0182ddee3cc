"""`${NAME}` in the texts of a configuration: the environment's variables, put in after TOML is parsed.

Where NAME is not set and NAME_FILE is, the file that it names holds the value, as Docker and Kubernetes mount secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from twinrow.errors import ConfigError
from twinrow.mounted import mounted

VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
OF_A_FILE: Final = "_FILE"


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
    """The value of a variable. Raises ConfigError when it is not set, and when its file cannot be read."""
    path = file_of(name, variables)
    if path is not None:
        return mounted(path, f"{place}: `{key.removeprefix('$.')}`")
    if name not in variables:
        raise ConfigError(
            f"the variable {name} in `{key.removeprefix('$.')}` is not set", where=place,
            remedy=f"export {name}=…, or {name}{OF_A_FILE}=PATH of a file that holds it",
        )  # fmt: skip
    return variables[name]


def file_of(name: str, variables: Mapping[str, str]) -> str | None:
    """The file that holds the value of a variable; None where the variable itself does, or nothing."""
    return None if name in variables else variables.get(name + OF_A_FILE)
