"""The command line of every flow: `python -m flows.x [--preset P] [--config FILE] [--section.field value ...]`."""

import argparse
import difflib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar, cast, get_origin

from pydantic import BaseModel, JsonValue, create_model
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from infra.cli import messages
from infra.cli.asked import runs_a_flow
from infra.machine import environment, prefect_import, server_boot, surroundings
from infra.machine.terminal import Terminal, log_visibly, one_line
from infra.settings import get_settings

# What is wrong with settings and environment is found out here, while the flow's file is imported: Prefect makes
# clients of the network as soon as it is.
messages.show_uncaught()
log_visibly()
environment.prepare()
surroundings.refuse_obstacles()
if runs_a_flow():
    server_boot.begin_early(get_settings())
prefect_import.import_prefect()

from prefect import Flow  # noqa: E402
from prefect.exceptions import PrefectHTTPStatusError  # noqa: E402

from infra.cli import mistyped, sources  # noqa: E402
from infra.cli.layers import Layer, build, given, merge, read_layer  # noqa: E402
from infra.cli.listed import as_typed, lists  # noqa: E402
from infra.cli.report_file import claim, write  # noqa: E402
from infra.engine.run import PlanLine, RunOptions, run_options  # noqa: E402
from infra.errors import ConfigError, ServiceError, StillhouseError  # noqa: E402
from infra.machine.prefect_server import temporary_server  # noqa: E402
from infra.settings import without_credentials  # noqa: E402
from infra.tracking.tracker import prepare_tracking  # noqa: E402

Config = TypeVar("Config", bound=BaseModel)
Record = TypeVar("Record", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)
USAGE_ERROR = 2
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FlowCommand(Generic[Config, Record, Result]):
    """A flow as a command. `summary` makes what `--report` writes, and the exit code, from what the flow returns.

    `exit_codes` says in `--help` what these mean.
    """

    name: str
    description: str
    config: type[Config]
    flow: Flow[[Config], Record]
    summary: Callable[[Record], Result]
    exit_code: Callable[[Result], int]
    presets: Path
    exit_codes: str = "0 pass, 2 wrong input, 3 fail, 4 needs more rows"
    called: str = ""

    @property
    def program(self) -> str:
        """What was typed to run it."""
        return self.called or f"python -m flows.{self.name}"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the flow as asked; returns the exit code. A user's mistake is one message, never a stack trace."""
        _show_warnings()
        messages.print_anything()
        try:
            return self._main(list(sys.argv[1:] if argv is None else argv))
        except StillhouseError as error:
            return messages.show(error)
        except KeyboardInterrupt:
            messages.say_aside("interrupted: what was finished is kept; run the same command again to go on.")
            return 130

    def _main(self, argv: list[str]) -> int:
        options, rest = self._own_parser().parse_known_args(
            as_typed(_dashed(_entries(argv, _mappings(self.config))), [*lists(self.config)])
        )
        if options.help:
            self._fields(["--help"])
            return 0
        _take_launcher(options)
        sources.tell()
        for warning in mistyped.warnings(self.config.model_fields):
            messages.warn(warning)
        config = build(self.config, self._layers(options, rest))
        environment.require_folder(get_settings())
        if options.dry_run:
            asked = RunOptions(dry_run=True, full_verify=options.verify == "full")
            with run_options(asked):
                self.flow.fn(config)
            _print_plan(asked.plan)
            return 0
        environment.open_home(get_settings())
        if options.report is not None:
            claim(options.report)
        asked = RunOptions(full_verify=options.verify == "full")
        with temporary_server(get_settings(), meanwhile=prepare_tracking), run_options(asked):
            result = self.summary(self._run(config))
        if options.report is not None:
            write(options.report, result.model_dump_json(indent=2) + "\n")
        return self.exit_code(result)

    def _run(self, config: Config) -> Record:
        try:
            return self.flow(config)
        except PrefectHTTPStatusError as error:
            answer = error.response
            raise ServiceError(
                f"Prefect's server answered {answer.status_code} to {answer.request.method} "
                f"{without_credentials(str(answer.request.url))}: expected an API of Prefect 3. Correct PREFECT_API_URL, or "
                "take it away: a run then brings its own server."
            ) from None

    def _own_parser(self) -> argparse.ArgumentParser:
        parser = _Parser(prog=self.program, add_help=False, allow_abbrev=False)
        presets = sorted(path.stem for path in self.presets.glob("*.yaml"))
        parser.add_argument("-h", "--help", action="store_true")
        parser.add_argument("--preset", choices=presets)
        parser.add_argument("--config", type=Path)
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--report", type=Path)
        parser.add_argument("--verify", choices=["quick", "full"], default="quick")
        parser.add_argument("--launcher", choices=["local", "torchrun"])
        parser.add_argument("--processes", type=int)
        return parser

    def _layers(self, options: argparse.Namespace, rest: list[str]) -> Layer:
        arguments = _arguments(self.config)
        layers: list[Layer] = []
        if options.preset:
            layers.append(read_layer(self.presets / f"{options.preset}.yaml"))
        with _readable("the environment"):
            layers.append(_given(EnvSettingsSource(arguments)()))
        if options.config:
            layers.append(read_layer(options.config))
        layers.append(self._fields(rest))
        return merge([given(self.config, layer) for layer in layers])

    def _fields(self, argv: list[str]) -> Layer:
        names = ", ".join(sorted(path.stem for path in self.presets.glob("*.yaml")))
        parser = _Parser(
            prog=self.program,
            usage=f"{self.program} [--section.field VALUE ...] [--config FILE.yaml] [--preset NAME] "
            "[--dry-run] [--report FILE.json] [--verify full] [--launcher NAME] [--processes N]",
            description=f"{self.description} Strength, the strongest first: a field on the command line, --config, "
            "the environment (STILLHOUSE_SECTION__FIELD), --preset.",
            epilog=(
                "--config FILE.yaml: fields from a file. "
                f"--preset NAME: fields that ship with the flow ({names}). "
                "--dry-run: what would be computed, and which field or input is why. "
                "--report FILE.json: the result as JSON. --verify full: read every byte of each cached artifact. "
                "--launcher torchrun --processes N: trainings are shared by N processes (STILLHOUSE_LAUNCHER, "
                "STILLHOUSE_PROCESSES); no part of what is computed. "
                f"Exit codes: {self.exit_codes}."
            ),
            allow_abbrev=False,
        )
        with _readable("the command line"):
            source = CliSettingsSource[argparse.ArgumentParser](
                _arguments(self.config),
                root_parser=parser,
                cli_parse_args=argv,
                cli_kebab_case=True,
                cli_avoid_json=False,
            )
            return _given(source())


def _take_launcher(options: argparse.Namespace) -> None:
    """What the command line says of processes counts as a setting, for those that this one starts too."""
    for name in ("launcher", "processes"):
        if (given := getattr(options, name)) is not None:
            os.environ[f"STILLHOUSE_{name.upper()}"] = str(given)
            get_settings.cache_clear()


@contextmanager
def _readable(place: str) -> Iterator[None]:
    """What is given there is JSON where it looks like it. Raises ConfigError when that cannot be read."""
    try:
        yield
    except SettingsError as error:
        raise ConfigError(
            f"{place} cannot be read: {error}: expected JSON in what begins with a bracket. See --help."
        ) from None
    except RecursionError:
        raise ConfigError(
            f"{place} cannot be read: lists or objects in each other, too deep, were found; expected a field's value. "
            "See --help."
        ) from None


class _Parser(argparse.ArgumentParser):
    """argparse, with a ConfigError that names the closest option in place of a page of usage and an exit."""

    def error(self, message: str) -> NoReturn:
        known = [option for action in self._actions for option in action.option_strings]
        wrong = next((word for word in message.split() if word.startswith("--")), "")
        close = difflib.get_close_matches(wrong, known, n=1)
        hint = f" Did you mean {close[0]}?" if close and close[0] != wrong else ""
        raise ConfigError(f"the command line cannot be read: {message}.{hint} --help lists every option.")


def _show_warnings() -> None:
    """Our own warnings go to the terminal: Prefect takes the root logger's handlers over, and is set to be silent."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    for name in environment.OWN_LOGGERS:
        logger = logging.getLogger(name)
        # Prefect's own handler stays: it brings the same lines to the server.
        logger.handlers = [h for h in logger.handlers if not isinstance(h, logging.StreamHandler)] + [handler]


def _arguments(config: type[BaseModel]) -> type[BaseSettings]:
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in config.model_fields.items()}
    base = type("_Base", (BaseSettings,), {"model_config": SettingsConfigDict(
        env_prefix="STILLHOUSE_", env_nested_delimiter="__", extra="ignore")})  # fmt: skip
    return cast("type[BaseSettings]", create_model("Arguments", __base__=base, **fields))


def _given(values: dict[str, Any]) -> Layer:
    given: dict[str, JsonValue] = {name: value for name, value in values.items() if value is not None}
    return given


def _mappings(config: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of the fields that are mappings, such as `extract.parameters`."""
    found = []
    for name, field in config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _mappings(kind, f"{prefix}{name}.")
        elif get_origin(kind) is dict:
            found.append(f"{prefix}{name}")
    return found


def _entries(argv: list[str], mappings: list[str]) -> list[str]:
    """`--extract.parameters.name value` sets one entry of a mapping, without JSON."""
    done, rest = [], list(argv)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        owner = next((name for name in mappings if option.startswith(f"--{name}.")), None)
        if owner is None:
            done.append(option + equals + value)
            continue
        entry = option.removeprefix(f"--{owner}.")
        if not equals and not rest:
            raise ConfigError(f"{option} has no value: expected one. Write {option} VALUE.")
        done += [f"--{owner}", json.dumps({entry: value if equals else rest.pop(0)})]
    return done


def _dashed(argv: list[str]) -> list[str]:
    """Dashes and underscores are the same in the name of an option; its value is left alone."""
    named = (argument.partition("=") for argument in argv)
    return [name.replace("_", "-") + equals + value if name.startswith("--") else name + equals + value
            for name, equals, value in named]  # fmt: skip


def _print_plan(plan: list[PlanLine]) -> None:
    terminal = Terminal()
    for line in plan:
        colour = {"hit": "green", "miss": "yellow", "action": "dim"}[line.state]
        terminal.print(one_line((f"{line.state:<7}", colour), f" {line.name:<18} {line.why}"))
