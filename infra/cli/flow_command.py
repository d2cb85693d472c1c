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
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast, get_origin

from pydantic import BaseModel, JsonValue, create_model
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from infra.cli import messages, sources
from infra.cli.flow_help import print_help
from infra.cli.form import RECIPE
from infra.cli.layers import Layer, build, given, merge, read_recipe, recipe_file
from infra.cli.listed import as_typed, lists
from infra.cli.report_file import claim, write
from infra.errors import ConfigError, StillhouseError
from infra.machine import environment, server_boot, surroundings
from infra.machine.terminal import Terminal, log_visibly, one_line
from infra.settings import get_settings

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow
    from infra.engine.run import PlanLine

Config = TypeVar("Config", bound=BaseModel)
USAGE_ERROR = 2
NARROWEST = 18  # letters of the names of a plan
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FlowCommand(Generic[Config]):
    """A flow as a command: its config on the command line. `load` imports the flow, once it is to run.

    `exit_codes` says in `--help` what these mean.
    """

    name: str
    description: str
    config: type[Config]
    presets: Path
    load: "Callable[[], RunnableFlow[Config, Any, Any]]"
    exit_codes: str = "0 pass, 2 wrong input, 3 fail, 4 needs more rows"
    called: str = ""

    def recipes(self) -> list[Path]:
        """Files of fields that come along, by name."""
        return sorted(self.presets.glob("*.yaml"))

    @property
    def program(self) -> str:
        """What was typed to run it."""
        return self.called or f"python -m flows.{self.name}"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the flow as asked; returns the exit code. A user's mistake is one message, never a stack trace."""
        messages.show_uncaught()
        log_visibly()
        messages.print_anything()
        _show_warnings()
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
        if options.help or options.help_all:
            print_help(
                f"{self.program}: {self.description}", self._options(), self.config, whole=options.help_all
            )
            return 0
        _take_launcher(options)
        sources.tell(self.config.model_fields)
        config = build(self.config, self._layers(options, rest))
        full, settings = options.verify == "full", get_settings()
        environment.require_folder(settings)
        surroundings.set_right(settings.home)
        surroundings.refuse_obstacles()
        if options.dry_run:
            _print_plan(self.load().plan(config, full))
            return 0
        environment.open_home(settings)
        if options.report is not None:
            claim(options.report)
        environment.prepare()
        server_boot.begin_early(settings)
        flow = self.load()
        result = flow.run(config, full)
        if options.report is not None:
            write(options.report, result.model_dump_json(indent=2) + "\n")
        return flow.exit_code(result)

    def _own_parser(self) -> argparse.ArgumentParser:
        parser = _Parser(prog=self.program, add_help=False, allow_abbrev=False)
        parser.add_argument("-h", "--help", action="store_true")
        parser.add_argument("--help-all", action="store_true")
        parser.add_argument("--preset")
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
            recipe = recipe_file(self.presets, options.preset)
            layers.append({**read_recipe(recipe, self.name), RECIPE: recipe.stem})
        with _readable("the environment"):
            layers.append(_given(EnvSettingsSource(arguments)()))
        if options.config:
            layers.append(read_recipe(options.config, self.name))
        layers.append(self._fields(rest))
        return merge([given(self.config, layer) for layer in layers])

    def _options(self) -> dict[str, str]:
        """What can be typed beside the fields."""
        presets = ", ".join(path.stem for path in self.recipes())
        return {
            "--section.field VALUE": "a field below. Strength, the strongest first: the command line, --config, the "
            "environment (STILLHOUSE_SECTION__FIELD), --preset",
            "--config FILE.yaml": "fields from a file",
            "--preset NAME": f"fields that come along: {presets}. `stillhouse recipes` says what each is for",
            "--dry-run": "what would be computed, and which field or input is why",
            "--report FILE.json": "the result as JSON",
            "--verify full": "read every byte of each cached artifact",
            "--launcher torchrun --processes N": "trainings are shared by N processes; in no key",
            "--help, --help-all": "what users set, with its [default]; every field with its bounds",
            "exit codes": self.exit_codes,
        }

    def _fields(self, argv: list[str]) -> Layer:
        with _readable("the command line"):
            source = CliSettingsSource[argparse.ArgumentParser](
                _arguments(self.config),
                root_parser=_Parser(prog=self.program, add_help=False, allow_abbrev=False),
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
        raise ConfigError(f"the command line cannot be read: {message}.{hint} --help-all lists every option.")


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


def _print_plan(plan: "list[PlanLine]") -> None:
    terminal = Terminal()
    width = max([NARROWEST, *(len(line.name) for line in plan)])
    for line in plan:
        colour = {"hit": "green", "miss": "yellow", "action": "dim"}[line.state]
        terminal.print(one_line((f"{line.state:<7}", colour), f" {line.name:<{width}} {line.why}"))
