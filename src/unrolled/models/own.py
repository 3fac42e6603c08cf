"""Networks of the user's: the class is checked, and built from its settings."""

from ..errors import ConfigError, UnrolledError
from ..settings.kinds import KINDS
from ..settings.models import OwnConfig
from ..settings.own import import_kind, own_class
from ..system.machine import is_lack_of_memory
from .base import NeuralModel


def named_kind(kind: object) -> str:
    """Returns the name of a kind that the user asks for; an own class is imported and checked.

    Raises:
        ConfigError: there is no such kind, or its class is no network of ours.
    """
    name = import_kind(kind)
    if name not in KINDS:
        _network(name)
    return name


def build_own(config: OwnConfig, vocab_size: int) -> NeuralModel:
    """Builds an untrained network of the user's.

    Raises:
        ConfigError: its class cannot be used, or its constructor fails.
    """
    network = _network(config.kind)
    try:
        model = network(vocab_size, **config.settings)
    except UnrolledError:
        raise
    except Exception as error:
        if is_lack_of_memory(error):
            raise
        call = ", ".join(f"{key}={value!r}" for key, value in config.settings.items())
        rule = f"built by {network.__name__}({vocab_size}, {call})"
        problem = f"It fails ({type(error).__name__}: {error})."
        raise ConfigError("model", rule, config.kind, problem) from error
    if getattr(model, "vocab_size", None) != vocab_size:
        remedy = "Call super().__init__(vocab_size, embedding_size)."
        raise ConfigError("model", f"of {vocab_size} symbols", config.kind, remedy)
    return model


def _network(name: str) -> type[NeuralModel]:
    found = own_class(name)
    if not issubclass(found, NeuralModel):
        rule = "a subclass of unrolled.NeuralModel"
        raise ConfigError("model", rule, name, "See docs/models.md.")
    return found
