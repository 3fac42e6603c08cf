"""The report of a comparison: what it says, what it may not load, what it does with the odd."""

import math
from typing import Any

KINDS = ("lstm", "gru", "transformer", "rnn", "ngram")


def fake_comparison(title: str = "tinyshakespeare", sample: str = "") -> dict[str, Any]:
    """A comparison as `unrolled compare` gives it: five models, two seeds, ten minutes."""
    figures: dict[str, dict[str, Any]] = {
        "lstm": {
            "bits": 2.112,
            "tokens": 31_000,
            "score": 118_000,
            "generate": 930,
            "bytes": 5.1e6,
        },
        "gru": {
            "bits": 2.131,
            "tokens": 38_500,
            "score": 139_000,
            "generate": 1110,
            "bytes": 3.9e6,
        },
        "transformer": {
            "bits": 2.204,
            "tokens": 14_200,
            "score": 61_000,
            "generate": 310,
            "bytes": 12.8e6,
        },
        "rnn": {
            "bits": 2.298,
            "tokens": 72_000,
            "score": 251_000,
            "generate": 2050,
            "bytes": 1.5e6,
        },
        "ngram": {
            "bits": 2.387,
            "tokens": 905_000,
            "score": 1_640_000,
            "generate": 15_800,
            "bytes": 38.4e6,
        },
    }
    reasons = {
        "quality": (
            "lstm",
            "It needs the fewest bits per byte, 2.112, and leads gru by more than the spread.",
        ),
        "speed": (
            "ngram",
            "It scores 1.64 million tokens a second, 14 times as many as lstm, for 0.275 bits per byte more.",
        ),
        "small size": (
            "rnn",
            "Its file has 1.5 MB, the smallest of those within ten per cent of the best.",
        ),
        "long documents": (
            "lstm",
            "Its loss still falls after 512 tokens, where the others are flat.",
        ),
    }
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
        "models": [_model(kind, figures[kind], sample) for kind in KINDS],
        "recommendation": [
            {"purpose": purpose, "model": model, "reason": reason}
            for purpose, (model, reason) in reasons.items()
        ],
    }


def _model(kind: str, figure: dict[str, Any], sample: str) -> dict[str, Any]:
    bits, neural = figure["bits"], kind != "ngram"
    seconds = [round(2.4 * step + 1, 1) for step in range(50)] if neural else [1.3]
    curve = [
        {
            "seconds": at,
            "tokens": round(at * figure["tokens"]),
            "train": bits - 0.09 + 2.6 * math.exp(-((at / 6) ** 0.6)) + 0.02 * math.sin(at * 7),
            "valid": bits + 0.03 + 2.4 * math.exp(-((at / 6) ** 0.6))
            if at > 2 or not neural
            else None,
        }
        for at in seconds
    ]
    memory = {"lstm": 400, "gru": 220, "transformer": 256, "rnn": 40, "ngram": 7}[kind]
    return {
        "name": kind,
        "run": f"runs/shakespeare/{kind}",
        "bits_per_byte": bits,
        "spread": 0.008 if neural else None,
        "seeds": [bits - 0.008, bits + 0.008] if neural else [bits],
        "perplexity": 2**bits,
        "perplexity_per_word": 2 ** (bits * 5.4),
        "closed_vocabulary": False,
        "num_parameters": round(figure["bytes"] / 4) if neural else None,
        "train_tokens_per_second": figure["tokens"],
        "score_tokens_per_second": figure["score"],
        "generate_tokens_per_second": figure["generate"],
        "peak_bytes": 9e7 + 40 * figure["bytes"] if neural else 2.1e8,
        "file_bytes": figure["bytes"],
        "train_seconds": 119.2 if neural else 1.3,
        "learning_rate": 0.004 if neural else None,
        "tried_learning_rates": [
            {"learning_rate": 0.002, "bits_per_byte": bits + 0.31},
            {"learning_rate": 0.004, "bits_per_byte": bits + 0.24},
            {"learning_rate": 0.008, "bits_per_byte": math.inf},
        ]
        if neural
        else [],
        "notes": []
        if neural
        else ["Discounts of orders 1 and 2 were set to 0.5: too few symbols to estimate them."],
        "settings": {"hidden_size": 512, "num_layers": 1, "batch_size": 64}
        if neural
        else {"order": 8},
        "curve": curve,
        "loss_by_position": [
            {
                "position": 2**power,
                "bits_per_byte": bits + 2.3 * 2 ** (-power * 0.9) + 0.1 / (1 + 2**power / memory),
            }
            for power in range(11)
        ],
        "samples": [sample or SAMPLES[kind], (sample or SAMPLES[kind])[40:]],
    }


SAMPLES = {
    "lstm": "KING RICHARD:\nWhat says my lord of Gloucester to the crown?\nI have not slept since he was made a king,\nAnd all the world is but a weary thing.\n\nGLOUCESTER:\nMy gracious lord, the people love you well.",
    "gru": "DUKE VINCENTIO:\nThe time is come that we must speak of this,\nAnd let the law be done upon his head.\n\nISABELLA:\nO, let him live, my lord; he is a man.",
    "transformer": "ROMEO:\nI will not see the heaven of thy face\nThat stands upon the morning of the day.\n\nNurse:\nGood sir, the lady was a-bed before.",
    "rnn": "CORIOLANUS:\nThe senter of the men that with the sould,\nAnd what the bear the countrens of the grace\nTo say the more and stay the conter'd hand.",
    "ngram": "MENENIUS:\nI tell thee what, the gods have heard me speak\nof the people. Come, come, we are too dear: the\nnobles, and the rest; so shall you have\na-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaah",
}
