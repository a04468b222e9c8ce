"""The options of the settings, made from the fields of ``Settings``: one truth for flags, names and help."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ha_monitor.errors import SettingsError
from ha_monitor.settings import Settings, setting_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pydantic.fields import FieldInfo

_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)

_DISCOVERY = tuple(name for name in Settings.model_fields if name.startswith("etcd_discovery_"))
"""Settings that name the members in another way than ``etcd`` does."""


class TextOption(click.Option):
    """An option whose variable counts when it is empty, too: click takes that for none, which would leave HTTP on."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Give the variable's text, ``None`` where there is no such variable."""
        value = super().resolve_envvar_value(ctx)
        return os.environ.get(self.envvar) if value is None and isinstance(self.envvar, str) else value


class _Text(click.types.StringParamType):
    """Text as it is: what it has to look like is for the settings to say, wherever it comes from."""

    envvar_list_splitter = ","

    def __init__(self, choices: Sequence[str] = (), *, is_file: bool = False) -> None:
        self._choices = choices
        self._is_file = is_file

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Tell a shell what may stand here."""
        if self._is_file:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(choice) for choice in self._choices if choice.startswith(incomplete)]


def settings_options(*, without: Collection[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of all settings but some, and hand it ``settings``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_settings(*args: Any, config: str | None, **given: Any) -> Any:
            own = {name: given.pop(name) for name in tuple(given) if name not in Settings.model_fields}
            return command(*args, settings=_settings(config, without), **own)

        fields = [(name, field) for name, field in Settings.model_fields.items() if name not in without]
        decorated: Callable[..., Any] = with_settings
        for name, field in reversed(fields):
            decorated = _option(name, field)(decorated)
        return click.option(
            "--config", envvar="HA_MONITOR_CONFIG", metavar="FILE", help="YAML file with these options as keys."
        )(decorated)

    return decorate


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{setting_name(name)}",
        name,
        cls=TextOption if field.annotation is str else click.Option,
        type=_Text(_choices(field), is_file=_metavar(field) == "FILE"),
        multiple=_is_many(field),
        envvar=f"HA_MONITOR_{name.upper()}",
        metavar=_metavar(field),
        help=f"{field.description}. [default: {_shown(field.default)}]",
    )


def _is_many(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (Sequence, Mapping)


def _metavar(field: FieldInfo) -> str:
    """Say what a value looks like, from the field's type; what a table holds is what its description begins with."""
    if choices := _choices(field):
        return "|".join(choices)
    text = str(field.annotation)
    if "Mapping" in text:
        return (field.description or "").split()[0].rstrip(":")
    if "Path" in text:
        return "FILE"
    if field.annotation is int:
        return "N"
    return "S" if "float" in text else "TEXT"


def _choices(field: FieldInfo) -> Sequence[str]:
    choices = get_args(field.annotation)
    return choices if all(isinstance(choice, str) for choice in choices) else ()


def _shown(default: object) -> str:
    if default is None or default == () or default == {}:
        return "none"
    return (
        ",".join(default)
        if isinstance(default, tuple)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def _settings(config: str | None, without: Collection[str]) -> Settings:
    """Put the settings together: the command line beats the environment, which beats the file.

    Raises ``click.UsageError`` in words for anything wrong.
    """
    context = click.get_current_context()
    values = _from_file(Path(config), without) if config else {}
    for name in Settings.model_fields:
        if context.get_parameter_source(name) in _GIVEN:
            values[name] = context.params[name]
    for name in _overridden(context, values):
        del values[name]
    try:
        return Settings.checked(values)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _overridden(context: click.Context, values: Collection[str]) -> Collection[str]:
    """Give the settings that name the members of etcd where a stronger source names them in the other way.

    So that ``--etcd`` on the command line counts where a file has ``etcd-discovery-srv``, and the other way round.
    """
    sources = {name: context.get_parameter_source(name) for name in values}
    rank = {name: _GIVEN.index(source) if source in _GIVEN else len(_GIVEN) for name, source in sources.items()}
    listed, discovered = rank.get("etcd"), rank.get("etcd_discovery_srv")
    if listed is None or discovered is None or listed == discovered:
        return ()
    return ("etcd",) if discovered < listed else [name for name in _DISCOVERY if name in values]


def _from_file(path: Path, without: Collection[str]) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.UsageError(f"config {os.fspath(path)}: {reason}") from error
    if not isinstance(document, dict):
        raise click.UsageError(f"config {os.fspath(path)}: it has to hold settings, one a line: NAME: VALUE")
    values = {str(key).replace("-", "_"): value for key, value in document.items()}
    return {name: value for name, value in values.items() if name not in without}
