"""Advice on made-up comparisons."""

import math
from typing import Any

import pytest

from unrolled.comparison.recommendation import disturbance, recommend
from unrolled.report.comparison import reason
from unrolled.report.words import Words
from unrolled.results.comparison import (
    Advice,
    ComparedModel,
    Difference,
    Disturbance,
    Position,
)


def in_words(advice: Advice) -> str:
    return reason(advice, Words("comparison", "en"))


def model(name: str, bits: float | None, **values: Any) -> ComparedModel:
    """A compared model with the figures that advice is built on."""
    figures = dict.fromkeys(ComparedModel.__dataclass_fields__) | {
        "name": name,
        "bits_per_byte": bits,
        "score_tokens_per_second": 1000.0,
        "file_bytes": 5e6,
        "loss_by_position": [],
    }
    return ComparedModel(**(figures | values))


def positions(*bits: float | None) -> list[Position]:
    """Cost at positions 32, 64, 128, ..."""
    return [Position(32 * 2**k, value) for k, value in enumerate(bits)]


def advice(*models: ComparedModel) -> dict[str, tuple[str, str]]:
    return {row.purpose: (row.model, in_words(row)) for row in recommend(models)}


def test_quality_names_the_best_and_its_margin():
    found = advice(model("gru", 2.25), model("lstm", 2.0), model("rnn", 2.5))
    assert found["quality"] == (
        "lstm",
        "It has the lowest loss, 2.000 bits per byte, 0.250 less than gru.",
    )


def test_the_ngram_wins_and_it_says_so():
    found = advice(model("lstm", 2.5), model("ngram", 2.0))
    assert found["quality"] == (
        "ngram",
        "It has the lowest loss, 2.000 bits per byte, 0.500 less than lstm; "
        "with more text or a longer budget a network may be better.",
    )


def test_the_ngram_alone_has_passed_nothing():
    sentence = "It has the lowest loss, 2.000 bits per byte."
    assert advice(model("ngram", 2.0))["quality"] == ("ngram", sentence)


def test_within_the_margin_two_are_level():
    level = advice(model("lstm", 2.0), model("gru", 2.02, behind=Difference(0.02, 0.03)))
    assert level["quality"] == (
        "lstm",
        "It has the lowest loss, 2.000 bits per byte, but gru cannot be told apart from it, "
        "a tie: the difference is 0.020 ± 0.030.",
    )
    apart = advice(model("lstm", 2.0), model("gru", 2.02, behind=Difference(0.02, 0.01)))
    assert apart["quality"][1].endswith("2.000 bits per byte, 0.020 ± 0.010 less than gru.")


def test_a_busy_machine_is_worth_a_word_an_idle_one_is_not():
    shares = {"lstm": 0.3, "gru": 0.4}
    models = [model(name, 2.0, others_share=share) for name, share in shares.items()]
    assert disturbance([*models, model("ngram", 2.0)]) == Disturbance(
        pytest.approx(0.35), 0.4, "gru"
    )
    assert disturbance([model("lstm", 2.0, others_share=0.05)]) is None
    assert disturbance([model("ngram", 2.0)]) is None


def test_speed_and_size_within_15_percent():
    found = advice(
        model("lstm", 2.0, score_tokens_per_second=1000.0, file_bytes=5e6),
        model("rnn", 2.29, score_tokens_per_second=4000.0, file_bytes=2e6),
        model("ngram", 2.31, score_tokens_per_second=1e6, file_bytes=1e5),
    )
    assert found["speed"] == (
        "rnn",
        "It scores 4,000 tokens per second, 4.0 times as many as lstm, "
        "at 0.290 bits per byte more.",
    )
    assert found["size"] == (
        "rnn",
        "Its file is 2.0 MB; that of lstm is 5.0 MB, at 0.290 bits per byte more.",
    )


def test_the_best_may_also_be_the_fastest_and_smallest():
    found = advice(
        model("gru", 2.0, score_tokens_per_second=9e3, file_bytes=1e6), model("lstm", 2.1)
    )
    assert found["speed"] == ("gru", "It scores 9,000 tokens per second.")
    assert found["size"] == ("gru", "Its file is 1.0 MB.")


def test_it_says_when_no_other_comes_near():
    found = advice(model("lstm", 2.0), model("ngram", 4.0, score_tokens_per_second=1e6))
    near = "; no other model is within 15 % of its bits per byte."
    assert found["speed"] == ("lstm", "It scores 1,000 tokens per second" + near)
    assert found["size"] == ("lstm", "Its file is 5.0 MB" + near)


def test_long_documents_go_to_the_least_cost_far_in():
    found = advice(
        model("lstm", 2.0, loss_by_position=positions(2.3, 2.2, 2.1, 2.05)),
        model("transformer", 2.1, loss_by_position=positions(2.5, 2.2, 2.0, 1.95)),
    )
    assert found["length"] == (
        "transformer",
        "After 256 or more tokens of context it has the lowest loss, 1.950 bits per byte; "
        "from 32 to 256 tokens of context its loss falls by 0.550.",
    )


def test_a_model_that_loses_by_reading_on_is_said_to():
    found = advice(model("ngram", 2.0, loss_by_position=positions(2.05, 2.1, 2.06)))
    assert found["length"][1] == (
        "After 128 or more tokens of context it has the lowest loss, 2.060 bits per byte; "
        "from 32 to 128 tokens of context its loss rises by 0.010."
    )


def test_short_documents_get_no_advice_on_long_ones():
    found = advice(model("lstm", 2.0, loss_by_position=positions(2.3, 2.2)))
    assert "length" not in found


def test_positions_without_a_figure_are_passed_over():
    found = advice(
        model("lstm", 2.0, loss_by_position=positions(2.3, 2.2, 2.1, None)),
        model("gru", 2.1, loss_by_position=positions(2.3, 2.2, 2.15, 2.12)),
    )
    assert found["length"][0] == "lstm"
    assert found["length"][1] == (
        "After 128 or more tokens of context it has the lowest loss, 2.100 bits per byte; "
        "from 32 to 128 tokens of context its loss falls by 0.200."
    )


def test_models_without_a_finite_figure_are_never_named():
    broken = {"score_tokens_per_second": 1e9, "file_bytes": 1.0}
    broken |= {"loss_by_position": positions(0.1, 0.1, 0.1)}
    found = recommend(
        [
            model("rnn", None, **broken),
            model("gru", math.inf, **broken),
            model("transformer", math.nan, **broken),
            model("lstm", 2.0, loss_by_position=positions(2.3, 2.2, 2.1)),
        ]
    )
    assert {row.model for row in found} == {"lstm"}
    assert all("inf" not in in_words(row) and "nan" not in in_words(row) for row in found)


def test_what_is_hardly_trained_is_never_named():
    found = advice(
        model("rnn", 1.0, doubt="hardly trained", score_tokens_per_second=1e9, file_bytes=1.0),
        model("lstm", 2.0),
    )
    assert {name for name, _ in found.values()} == {"lstm"}


def test_nothing_finite_gives_no_advice():
    assert recommend([model("rnn", None), model("gru", math.inf)]) == []


def test_unmeasured_speeds_and_sizes_do_not_win():
    found = advice(
        model("lstm", 2.0),
        model("gru", 2.1, score_tokens_per_second=None, file_bytes=None),
    )
    assert (found["speed"][0], found["size"][0]) == ("lstm", "lstm")
