"""A query as it lies in its file: the SQL, and the types and defaults of its parameters from the lines at its head.

-- @param sample_percent INT64 = 100   share of the texts to keep
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.errors import ConfigError
from tasks.data.extraction.columns import Columns
from tasks.data.extraction.config import ExtractConfig

Parameter = str | int | float | bool | tuple[str, ...]
_DECLARED = re.compile(r"^\s*--\s*@param\b(.*)$", re.MULTILINE)
_PARTS = re.compile(
    r"\s+(\w+)\s+(STRING|INT64|FLOAT64|BOOL|ARRAY<STRING>)\s*(?:=\s*(\[.*?\]|'[^']*'|\"[^\"]*\"|\S+))?(?:\s.*)?$"
)
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class AskedQuery:
    """The query of a run: its file's name, its text, and a value of the declared type for each parameter."""

    name: str
    sql: str
    parameters: Mapping[str, Parameter]


def load_query(path: Path, given: Mapping[str, Parameter]) -> AskedQuery:
    """Read a .sql file; a parameter that is not given has its default.

    Raises ConfigError for what is no file or not text, a declaration that cannot be read, and a value that is not of the
    declared type.
    """
    try:
        # A pipe is empty at the second reading; one without a writer never ends.
        if path.exists() and not path.is_file():
            raise ConfigError(
                f"{path} is a folder, a pipe or a device: expected a .sql file. Correct --extract.query."
            )
        sql = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): expected a .sql file. Correct --extract.query."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}): expected SQL. Save it as UTF-8."
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"{path} is no path that can be opened ({error}): expected a .sql file. Correct --extract.query."
        ) from None
    parameters = dict(given)
    for declaration in _DECLARED.finditer(sql):
        parts = _PARTS.match(declaration[1])
        if parts is None:
            raise ConfigError(
                f"{path.name}: {declaration[0].strip()!r} cannot be read. Expected -- @param NAME TYPE = "
                "DEFAULT with TYPE one of STRING, INT64, FLOAT64, BOOL, ARRAY<STRING>. Correct the line."
            )
        name, kind, default = parts.groups()
        if name in given:
            parameters[name] = _typed(given[name], kind, f"--extract.parameters.{name}")
        elif default is not None:
            parameters[name] = _typed(_literal(default), kind, f"the default of @{name} in {path.name}")
    return AskedQuery(path.name, sql, parameters)


def result_columns(config: ExtractConfig, found: list[str]) -> Columns:
    """Columns of a query's result: `text` and `label` or as named, and `split, group, row` where there are.

    Raises ConfigError for a `weight`: how common a class is in traffic is no property of rows.
    """

    if "weight" in found:
        raise ConfigError(
            "the query gives `weight`: rows have none any more. How common out-of-scope texts are in traffic is "
            "`expected_share` of the flow that trains (--expected-share 0.18); leave the column out, or give it another "
            "name."
        )

    def optional(name: str) -> str | None:
        return name if name in found else None

    return Columns(
        text=config.text_column or "text",
        label=config.label_column or "label",
        split=config.split_column or optional("split"),
        group=config.group_column or optional("group"),
        row=optional("row"),
    )


def _literal(default: str) -> Parameter:
    if default.startswith("["):
        return ",".join(item.strip().strip("'\"") for item in default[1:-1].split(","))
    return default[1:-1] if default[0] in "'\"" else default


def _typed(value: Parameter, kind: str, where: str) -> Parameter:
    """`value` as the type that the file declares; text is read as that type, as it comes from the command line."""
    if kind == "ARRAY<STRING>":
        items = value if isinstance(value, tuple) else str(value).split(",")
        return tuple(stripped for item in items if (stripped := item.strip()))
    if kind == "STRING" and not isinstance(value, tuple):
        return value if isinstance(value, str) else json.dumps(value)
    if kind == "BOOL" and str(value).lower() in _TRUTH:
        return _TRUTH[str(value).lower()]
    try:
        if kind == "INT64" and not isinstance(value, tuple | bool):
            number = float(value)
            if number.is_integer():
                return int(value)
        if kind == "FLOAT64" and not isinstance(value, tuple | bool):
            return float(value)
    except ValueError:
        value = str(value)  # Said below, with what was expected.
    raise ConfigError(f"{where} is {value!r}: expected {kind}. Correct the value.")
