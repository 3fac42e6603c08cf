"""Models of the user's: what they are called, and when their code is imported.

A name is "package.module:Class", or that of an entry point in the group `unrolled.models`. Who asks
for a training by name asks for the import too. A run folder does not: config.json may come from
anyone, so the class that it names has to be imported already, installed as an entry point, or named
in the environment variable UNROLLED_MODELS.
"""

import inspect
import json
import os
import re
import sys
from functools import reduce
from importlib import import_module, invalidate_caches
from importlib.metadata import entry_points
from typing import Any

from ..errors import ConfigError
from .kinds import KINDS

GROUP, VARIABLE = "unrolled.models", "UNROLLED_MODELS"
_PLACE = re.compile(r"[^\W\d]\w*(\.\w+)*:[^\W\d]\w*(\.\w+)*")
_CHOICES = f"one of {', '.join(KINDS)}, or module:Class"


def check_kind(kind: object) -> str:
    """Returns the name of a kind of model, or of a class; imports nothing.

    Raises:
        ConfigError: there is no such kind, or nobody could find the class by a name.
    """
    name = f"{kind.__module__}:{kind.__qualname__}" if isinstance(kind, type) else kind
    if not isinstance(name, str) or not (name in KINDS or _place(name)):
        if isinstance(kind, type):
            raise ConfigError("model", "a class at the top of a module", name, "Move it there.")
        raise ConfigError("model", _CHOICES, name, "Choose one of these.")
    return name


def import_kind(kind: object) -> str:
    """Returns the name of a kind that the user asks for, its class imported if it is an own one.

    Raises:
        ConfigError: there is no such kind, or its class cannot be imported.
    """
    name = check_kind(kind)
    if name not in KINDS:
        _find(name)
    return name


def own_class(name: str) -> type:
    """The class of that name.

    Raises:
        ConfigError: it cannot be imported, or nobody but a run folder has named it.
    """
    place = _place(check_kind(name))
    module = place.partition(":")[0]
    named = os.environ.get(VARIABLE, "").replace(",", " ").split()
    if not (module in sys.modules or name in named or place != name):
        rule = "imported or named by you before its code runs"
        remedy = f"If you trust that code, set {VARIABLE}={name}."
        raise ConfigError("model", rule, name, remedy)
    return _find(name)


def own_settings(name: str, size: str, vocab_size: int) -> dict[str, Any]:
    """The settings of an own model: defaults of its constructor, and its preset for a size.

    Raises:
        ConfigError: JSON cannot hold one of them.
    """
    model: Any = own_class(name)
    parameters = list(inspect.signature(model).parameters.values())[1:]
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    settings = defaults | model.preset(size, vocab_size)
    for setting, value in settings.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            rule = "a number, a text, True, False, None, or a list or dict of such"
            raise ConfigError(setting, rule, repr(value), f"Correct {name}.") from None
    return settings


def naming(kind: str) -> str:
    """What stands before a command that opens a run of that kind, see the rule above."""
    return f"{VARIABLE}={kind} " if _PLACE.fullmatch(kind) else ""


def search_path() -> str:
    """PYTHONPATH for another process, which then finds the modules that this one finds."""
    return os.pathsep.join(filter(None, sys.path))


def _place(name: str) -> str:
    """The "module:Class" that a name stands for; empty where it is none."""
    if _PLACE.fullmatch(name):
        return name
    found = entry_points(group=GROUP, name=name) if re.fullmatch(r"[\w.-]+", name) else ()
    return next((f"{point.module}:{point.attr}" for point in found), "")


def _find(name: str) -> type:
    """The class of that name, its module imported as `python -m` would."""
    place, _, path = _place(name).partition(":")
    module = sys.modules.get(place) or _import(place, name)
    try:
        found = reduce(getattr, path.split("."), module)
    except AttributeError:
        found = None
    if not isinstance(found, type):
        file = getattr(module, "__file__", None)
        where = place if file is None else f"{place} ({file})"
        raise _not_importable(name, f"{where} has no class {path}")
    return found


def _import(module: str, name: str) -> object:
    if not {"", here := os.getcwd()} & {*sys.path}:
        sys.path.insert(0, here)
    invalidate_caches()  # the file may be new
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _not_importable(name, f"{module} fails ({error})") from error
        problem = f"There is no module {error.name} in {here} or among the installed packages"
        raise _not_importable(name, problem) from None
    except Exception as error:
        problem = f"{module} fails ({type(error).__name__}: {error})"
        raise _not_importable(name, problem) from error


def _not_importable(name: str, problem: str) -> ConfigError:
    return ConfigError("model", "a class that can be imported", name, f"{problem}.")
