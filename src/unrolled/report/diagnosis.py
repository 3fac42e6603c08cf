"""The result of a diagnosis as a page, in English or Chinese."""

from typing import Any

from ..errors import ConfigError
from ..results.diagnosis import Diagnosis
from .diagnosis_curves import decay, memory, perturbed, words
from .diagnosis_gates import saturation, timescales
from .diagnosis_map import heat_map
from .diagnosis_tables import lyapunov, radii, remedies, repeated, steps_to_take
from .diagnosis_words import (
    LANGUAGES,
    Language,
    condition_name,
    marked_up,
    next_steps,
    say,
    unbroken,
    verdict_sentence,
)
from .document import document
from .parts import definitions, section


def html(diagnosis: Diagnosis, language: Language) -> str:
    """Writes a diagnosis as a page: the verdict, what to do, and then the evidence.

    Parts that are empty, None or left out have no section.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: the page is not written in this language.
    """
    if language not in LANGUAGES:
        raise ConfigError("language", 'one of "en", "zh"', repr(language), "Choose one of them.")
    result = Diagnosis.from_json(diagnosis.to_json())
    verdict, dynamics, model = result.verdict, result.dynamics, result.model
    gates = dynamics.gates if dynamics else []
    sections = (
        steps_to_take(next_steps(result, language), language),
        decay(result.flows, language),
        heat_map(result.history, language),
        words(result.words, language),
        timescales(gates, language),
        saturation(gates, language),
        lyapunov(dynamics, language),
        radii(dynamics, language),
        memory(result.memory, language),
        perturbed(result.memory, language),
        repeated(result.memory, language),
        remedies(result, language),
        _conditions(result.conditions, language),
    )
    sentence = unbroken(verdict_sentence(verdict, model, language))
    body = "\n".join(part for part in sections if part)
    return document(say("kicker", language), result.title, sentence, body, language)


def _conditions(conditions: dict[str, Any], language: Language) -> str:
    named = {condition_name(name, language): value for name, value in conditions.items()}
    body = definitions(named) if named else ""
    lead = marked_up("conditions, how", language)
    return section(say("conditions", language), lead, body)
