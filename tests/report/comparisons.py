"""A made-up comparison, as `Comparison.to_json` gives it."""

import math
from typing import Any

FIGURES = {  # bits per byte, training, scoring and generating tokens per second, bytes, memory
    "lstm": (2.112, 31_000, 118_000, 930, 5.1e6, 400),
    "gru": (2.131, 38_500, 139_000, 1110, 3.9e6, 220),
    "transformer": (2.204, 14_200, 61_000, 310, 12.8e6, 256),
    "rnn": (2.298, 72_000, 251_000, 2050, 1.5e6, 40),
    "ngram": (2.387, 905_000, 1_640_000, 15_800, 38.4e6, 7),
}

SAMPLES = {
    "lstm": """KING RICHARD:
What says my lord of Gloucester to the crown?
I have not slept since he was made a king.

GLOUCESTER:
My gracious lord, the people love you well.""",
    "gru": """DUKE VINCENTIO:
The time is come that we must speak of this,
And let the law be done upon his head.""",
    "transformer": """ROMEO:
I will not see the heaven of thy face
That stands upon the morning of the day.""",
    "rnn": """CORIOLANUS:
The senter of the men that with the sould,
And what the bear the countrens of the grace.""",
    "ngram": "MENENIUS:\nI tell thee what, the gods have heard me:\na-" + 99 * "a" + "h",
}


def fake_comparison(title: str = "tinyshakespeare", sample: str = "") -> dict[str, Any]:
    """Five models, two seeds, ten minutes; `sample` replaces what the models wrote."""
    return {
        "title": title,
        "conditions": {
            "text": "data/tinyshakespeare/input.txt",
            "bytes": 1_115_394,
            "data hash": "86c4e6aa9db7c042",
            "tokenizer": "char, 65 symbols",
            "budget": "10m, 2m per model",
            "seeds": "0,1",
            "threads": 2,
            "machine": "2 cores, AVX-512",
            "versions": "unrolled 0.1.0, torch 2.10.0, numpy 2.3.0",
            "command": "unrolled compare data/tinyshakespeare --budget 10m --seeds 0,1",
        },
        "split": "test",
        "baselines": [
            {"name": "uniform", "bits_per_byte": 6.022},
            {"name": "unigram", "bits_per_byte": 4.761},
            {"name": "xz", "bits_per_byte": 2.913},
        ],
        "models": [fake_model(name, sample or text) for name, text in SAMPLES.items()],
        "recommendation": [
            {"purpose": "quality", "model": "lstm", "figure": 2.112, "rival": "gru"}
            | {"rival_figure": 2.131, "behind": {"bits_per_byte": 0.019, "margin": 0.012}},
            {"purpose": "speed", "model": "ngram", "figure": 1_640_000, "rival": "lstm"}
            | {"rival_figure": 118_000, "cost": 0.275},
            {"purpose": "size", "model": "rnn", "figure": 1.5e6, "rival": "lstm"}
            | {"rival_figure": 5.1e6, "cost": 0.186},
            {"purpose": "length", "model": "lstm", "figure": 2.0, "position": 512}
            | {"near_position": 32, "near_figure": 2.05},
        ],
    }


def fake_model(name: str, sample: str) -> dict[str, Any]:
    """One model; the n-gram has one seed, one point on its curve and no learning rate."""
    bits, train, score, generate, size, memory = FIGURES[name]
    neural = name != "ngram"
    return {
        "name": name,
        "run": f"runs/shakespeare/{name}",
        "bits_per_byte": bits,
        "spread": 0.008 if neural else None,
        "seeds": [bits - 0.008, bits + 0.008] if neural else [bits],
        "perplexity": 2**bits,
        "perplexity_per_word": 2 ** (bits * 5.4),
        "closed_vocabulary": False,
        "num_parameters": round(size / 4) if neural else None,
        "train_tokens_per_second": train,
        "score_tokens_per_second": score,
        "generate_tokens_per_second": generate,
        "peak_bytes": 9e7 + 40 * size if neural else 2.1e8,
        "file_bytes": size,
        "train_seconds": 119.2 if neural else 1.3,
        "learning_rate": 0.004 if neural else None,
        "tried_learning_rates": _rates(bits) if neural else [],
        "notes": [] if neural else ["The discounts of order 1 were set to 0.5."],
        "settings": {"hidden_size": 512, "batch_size": 64} if neural else {"order": 8},
        "curve": _curve(bits, train) if neural else [_point(1.3, train, None, bits + 0.03)],
        "loss_by_position": [
            {
                "position": 2**power,
                "bits_per_byte": bits + 2.3 * 0.53**power + 0.1 / (1 + 2**power / memory),
            }
            for power in range(11)
        ],
        "samples": [sample, sample[:60]],
        "behind": None if name == "lstm" else {"bits_per_byte": bits - 2.112, "margin": 0.012},
        "others_share": 0.02 if neural else None,
    }


def _rates(bits: float) -> list[dict[str, float]]:
    reached = {0.002: bits + 0.31, 0.004: bits + 0.24, 0.008: math.inf}
    return [{"learning_rate": rate, "bits_per_byte": value} for rate, value in reached.items()]


def _curve(bits: float, tokens_per_second: float) -> list[dict[str, float | None]]:
    """Fifty looks in two minutes: a steep start, then slow gains."""
    points = []
    for step in range(50):
        seconds = 1 + 2.4 * step
        steep = 2.4 * math.exp(-((seconds / 6) ** 0.6))
        train = bits - 0.08 + steep + 0.02 * math.sin(7 * step) if step else None
        points.append(_point(seconds, tokens_per_second, train, bits + 0.03 + steep))
    return points


def _point(
    seconds: float, tokens_per_second: float, train: float | None, valid: float
) -> dict[str, float | None]:
    tokens = round(seconds * tokens_per_second)
    return {"seconds": seconds, "tokens": tokens, "train": train, "valid": valid}
