"""Made-up diagnoses in the form that `unrolled diagnose` gives them."""

import math
from typing import Any


def fake_diagnosis(model: str = "lstm", title: str = "shakespeare.txt") -> dict[str, Any]:
    """Two layers of an LSTM or GRU, or one of an Elman network, with everything measured."""
    flows = fake_flows(model)
    best = max(flows, key=lambda flow: flow["horizon"] or math.inf)
    return {
        "title": title,
        "model": model,
        "verdict": fake_verdict("vanishing", best),
        "flows": flows,
        "dynamics": fake_dynamics(model),
        "memory": [fake_memory(model, 0.21, 96.4), fake_memory("5-gram", 0.05, 3.7)],
        "history": [fake_look(number) for number in range(31)],
        "words": None,
        "cure": fake_cure(),
        "conditions": {
            "run": "runs/shakespeare",
            "measured on": "input.txt",
            "split": "valid",
            "tokens": 55_770,
            "num_layers": len({flow["layer"] for flow in flows}),
            "learning_rate": 3e-3,
            "sequence_length": 64,
            "clip_norm": 0.5,
            "versions": {"unrolled": "0.4.0", "torch": "2.10.0"},
        },
    }


def fake_verdict(kind: str, flow: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the figures of one flow come to; without it there are no figures."""
    return {
        "kind": kind,
        "layer": flow and flow["layer"],
        "horizon": flow and flow["horizon"],
        "half_life": flow and flow["half_life"],
        "rate": flow and flow["rate"],
        "growth": flow and max(flow["shares"]),
    }


def fake_flows(model: str) -> list[dict[str, Any]]:
    if model == "rnn":
        return [fake_flow(1, "hidden", -0.512)]
    return [
        fake_flow(1, "hidden", -0.203),
        fake_flow(1, "cell", -0.117),
        fake_flow(2, "hidden", -0.342),
        fake_flow(2, "cell", -0.0943),
    ]


def fake_flow(layer: int, path: str, rate: float, num_lags: int = 128) -> dict[str, Any]:
    """Exponential decay or growth with a ripple, as text gives it."""
    lags = list(range(num_lags))
    shares = [math.exp(rate * lag + 0.15 * math.sin(1.7 * lag)) for lag in lags]
    shares = [share / shares[0] for share in shares]
    return {
        "layer": layer,
        "path": path,
        "lags": lags,
        "shares": shares,
        "half_life": -math.log(2) / rate if rate < 0 else None,
        "rate": rate,
        "horizon": next((lag for lag in lags if shares[lag] < 0.01), None),
        "half_life_interval": {"low": -0.6 / rate, "high": -0.8 / rate} if rate < 0 else None,
        "horizon_interval": {"low": round(-4 / rate), "high": round(-5.2 / rate)},
    }


def fake_dynamics(model: str) -> dict[str, Any]:
    gated = model != "rnn"
    names = ("input", "forget", "output") if gated else ("state",)
    layers = (1, 2) if gated else (1,)
    matrices = ("input", "forget", "candidate", "output") if gated else ("recurrent",)
    return {
        "exponents": [-0.094, -0.131, -0.187, -0.242, -0.266, -0.317, -0.354, -0.412],
        "radii": [
            {"layer": layer, "matrix": matrix, "radius": 0.71 + 0.137 * place + 0.05 * layer}
            for layer in layers
            for place, matrix in enumerate(matrices)
        ],
        "gates": [fake_gate(layer, name) for layer in layers for name in names],
        "dead": [] if gated else [0.125],
    }


def fake_gate(layer: int, name: str, num_units: int = 128) -> dict[str, Any]:
    spread = [(number * 0.618034) % 1 for number in range(num_units)]
    shift = {"input": 0.1, "forget": 0.55, "output": 0.3, "state": 0.2}[name] / layer
    tops = [min(1.0, shift * 2 * part**2) for part in spread]
    bottoms = [
        (1 - top) * (1 - shift) * (part * 3.3 % 1) ** 2
        for top, part in zip(tops, spread, strict=True)
    ]
    scales = sorted(math.exp(0.4 + 1.1 * layer * part**1.5 * 2) for part in spread)
    return {
        "layer": layer,
        "name": name,
        "mean": 0.31 + shift,
        "closed": bottoms,
        "open": tops,
        "timescales": scales if name == "forget" else [],
    }


def fake_memory(name: str, gain: float, effective: float) -> dict[str, Any]:
    contexts = [2**power for power in range(9)]
    return {
        "name": name,
        "curve": [
            {
                "context": context,
                "bits": 2.3 - gain + 1.1 * math.exp(-math.log(context + 1) * (1 + 2 * gain)),
            }
            for context in contexts
        ],
        "effective": effective,
        "effective_low": effective * 0.81,
        "effective_high": effective * 1.33,
        "perturbed": [
            {"kind": kind, "beyond": beyond, "bits": size * gain / (1 + beyond / 12)}
            for kind, size in (("shuffled", 1.1), ("reversed", 1.3), ("replaced", 2.2))
            for beyond in (4, 16, 64, 128)
        ],
        "repeated": {
            "order": 2,
            "num_repeated": 12_345,
            "num_new": 43_425,
            "repeated_bits": 3.456 - gain,
            "new_bits": 7.891 - gain / 2,
        },
    }


def fake_look(number: int) -> dict[str, Any]:
    """The gradient explodes at first, then reaches less far, and further again."""
    lags = list(range(64))
    rate = 0.04 if number < 2 else -0.45 + 0.013 * number
    return {
        "seconds": 20.0 * number,
        "tokens": 150_000.0 * number,
        "lags": lags,
        "shares": [math.exp(rate * lag) for lag in lags],
    }


def fake_words() -> dict[str, Any]:
    """A text of 40 words that zeros fill up to 120; the last step decides."""
    positions = list(range(1, 121))
    return {
        "positions": positions,
        "shares": [math.exp(-0.17 * (120 - position)) for position in positions],
        "length": 40,
        "padded_to": 120,
    }


def fake_cure() -> dict[str, Any]:
    return {
        "budget": "34s",
        "unchanged": fake_tried("unchanged", "", "", 2.5013, None, 5.9, 39, 17.2, 61_000.0),
        "tried": [
            fake_tried("GRU", "--model gru", "Cho et al. 2014", 2.4101, 0.0912, 8.1, 60, 41.0, 5e4),
            fake_tried(
                *("chrono gates", "--gate-init chrono", "Tallec & Ollivier 2018"),
                *(2.4502, 0.0511, 31.4, None, 88.0, 60_500.0),
            ),
            fake_tried(
                *("Transformer", "--model transformer", "Vaswani et al. 2017"),
                *(2.4691, 0.0322, None, None, 120.0, 20_300.0),
            ),
            fake_tried(
                *("forget bias", "--forget-bias 2.0", "Jozefowicz et al. 2015"),
                *(2.5224, -0.0211, None, None, 19.0, 60_900.0),
            ),
            fake_tried(
                *("identity start", "--recurrent-init identity"),
                *("Le et al. 2015", None, None, None, None, None, None),
            ),
        ],
        "test": {"unchanged": 2.5317, "best": 2.4426},
    }


FIGURES = ("bits_per_byte", "gain", "half_life", "horizon", "effective", "tokens_per_second")


def fake_tried(name: str, flags: str, source: str, *figures: float | None) -> dict[str, Any]:
    row = {"name": name, "flags": flags, "source": source}
    return row | dict(zip(FIGURES, figures, strict=True))
