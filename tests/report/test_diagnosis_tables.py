"""The tables of a diagnosis."""

import math
import re
from typing import Any

import pytest

from unrolled.diagnosis.remedies import REMEDIES
from unrolled.report.diagnosis_tables import (
    Step,
    dead,
    decay,
    gates,
    lyapunov,
    multiple,
    next_steps,
    perturbed,
    radii,
    remedies,
    remedy_name,
    repeated,
    share,
    used_context,
    verdict_sentence,
)
from unrolled.report.tables import Table
from unrolled.report.words import Words
from unrolled.results.diagnosis import Diagnosis, Verdict

from .diagnoses import fake_diagnosis, fake_verdict, fake_words

ENGLISH = Words("diagnosis", "en")


def rows_of(table: Table | None) -> list[list[str]]:
    """Headings, and rows with their names, as text."""
    assert table is not None
    rows = [[row.name, *(cell.text for cell in row.cells)] for row in table.rows]
    assert all(len(row) == len(table.headings) for row in rows)
    return [[re.sub(r"\s", " ", text) for text in row] for row in (list(table.headings), *rows)]


def fake(**parts: Any) -> Diagnosis:
    return Diagnosis.from_json(fake_diagnosis() | parts)


def test_figures_of_each_flow():
    flows = fake_diagnosis()["flows"]
    flows[3] |= {"half_life": None, "horizon": None, "rate": None}
    head, first, _, third, last = rows_of(decay(fake(flows=flows).flows, ENGLISH))
    assert head == ["layer", "half-life, steps", "below 1 % after", "nats per step"]
    assert first == ["layer 1, h", "3.4", "24", "−0.203"]
    assert third == ["layer 2, h", "2.0", "14", "−0.342"]
    assert last == ["layer 2, c", "> 127", "> 127", "–"]
    assert decay([], ENGLISH) is None


def ranges(**parts: Any) -> list[str]:
    """What stands in grey beside half-life and horizon of one flow."""
    flows = [fake_diagnosis()["flows"][0] | parts]
    table = decay(fake(flows=flows).flows, ENGLISH)
    assert table is not None
    return [cell.small.replace("\N{NARROW NO-BREAK SPACE}", " ") for cell in table.rows[0].cells]


def test_intervals_stand_beside_their_figures():
    assert ranges() == ["3.0 to 3.9", "20 to 26", ""]
    open_end, beyond = {"low": 90, "high": None}, {"low": None, "high": None}
    shown = ranges(half_life_interval=open_end, horizon=None, horizon_interval=beyond)
    assert shown == ["90 to > 127", "", ""]
    assert ranges(half_life_interval=None, horizon_interval=None) == ["", "", ""]
    flow = fake_diagnosis()["flows"][0]
    del flow["half_life_interval"], flow["horizon_interval"]  # as before there were any
    assert fake(flows=[flow]).flows[0].horizon_interval is None


def test_means_of_gates():
    result = fake_diagnosis()
    result["dynamics"]["gates"][0] |= {"open": [0.25, 1.0], "closed": [0.5, 0.0]}
    dynamics = Diagnosis.from_json(result).dynamics
    assert dynamics is not None
    table = gates(dynamics.gates, ENGLISH)
    assert rows_of(table)[0] == [
        *("gate", "layer", "mean", "open, % of the time", "closed, % of the time")
    ]
    assert rows_of(table)[1] == ["input", "1", "0.410", "62 %", "25 %"]
    assert table is not None and [row.rank for row in table.rows] == [0, 1, 2, 0, 1, 2]


def test_dynamics_are_written_as_they_are():
    result = fake_diagnosis()
    result["dynamics"] |= {"exponents": [0.02, -0.094], "dead": [0.125, 0.0]}
    dynamics = Diagnosis.from_json(result).dynamics
    table = lyapunov(dynamics, ENGLISH)
    assert rows_of(table)[1:] == [["λ₁", "+0.020", "grows"], ["λ₂", "−0.094", "11"]]
    assert table is not None and [row.cells[0].rank for row in table.rows] == [1, 0]
    assert rows_of(radii(dynamics, ENGLISH))[2] == ["forget", "1", "0.897"]
    assert dead(dynamics, ENGLISH).replace("\N{NO-BREAK SPACE}", " ") == "layer 1 12 %, layer 2 0 %"
    assert lyapunov(None, ENGLISH) is None and radii(None, ENGLISH) is None
    assert dead(None, ENGLISH) == ""


def test_used_context():
    result = fake()
    costs = {point.context: point.bits for point in result.memory[0].curve}
    head, first, second = rows_of(used_context(result.memory, ENGLISH))
    assert head[3:] == ["bits per byte with 1", "bits per byte with 256"]
    assert first == ["lstm", "96", "78 to 128", f"{costs[1]:.3f}", f"{costs[256]:.3f}"]
    assert second[:3] == ["5-gram", "3.7", "3.0 to 4.9"]


def test_disturbed_and_repeated():
    memory = fake().memory
    rows = rows_of(perturbed(memory, ENGLISH))
    assert rows[0] == ["model", "beyond, tokens", "shuffled", "reversed", "replaced"]
    assert rows[1] == ["lstm", "4", "+0.173", "+0.205", "+0.347"] and len(rows) == 9
    table = repeated(memory, ENGLISH)
    assert rows_of(table)[1] == ["lstm", "3.246", "7.786", "4.540"]
    assert table is not None and max(cell.bar or 0 for row in table.rows for cell in row.cells) == 1


def test_remedies_say_what_was_won_and_what_to_type():
    table = remedies(fake(), ENGLISH)
    assert table is not None
    rows = rows_of(table)
    assert rows[1] == ["unchanged", "–", "2.501", "5.9", "39", "17", "61.0 k", ""]
    assert rows[2] == ["GRU", "+0.091", *rows[2][2:7], "--model gru"]
    assert table.rows[1].small == "Cho et al. 2014"
    assert rows[3][3:5] == ["31", "> 127"]  # never below 1 %
    assert rows[4][3:5] == ["–", "–"]  # a Transformer has no gradient through time
    assert rows[5][1] == "−0.021"
    assert rows[6][1:7] == ["diverged", *"–––––"]
    bars = [(row.cells[0].rank, round(100 * row.cells[0].bar, 1)) for row in table.rows[1:5]
            if row.cells[0].bar is not None]  # fmt: skip
    assert bars == [(0, 100.0), (0, 56.0), (0, 35.3), (1, 23.1)]
    assert [row.kind for row in table.rows] == ["baseline", "best", "", "", "", ""]


def test_without_gain_no_remedy_is_the_best():
    result = fake_diagnosis()
    for tried in result["cure"]["tried"]:
        tried["gain"] = -0.1
    table = remedies(Diagnosis.from_json(result), ENGLISH)
    assert table is not None and "best" not in [row.kind for row in table.rows]
    assert remedies(fake(cure=None), ENGLISH) is None


ENGLISH, CHINESE = Words("diagnosis", "en"), Words("diagnosis", "zh")


def said(verdict: dict[str, Any], model: str, words: Words) -> str:
    return verdict_sentence(Verdict.from_json(verdict), model, words)


def steps_of(result: dict[str, Any], words: Words) -> list[Step]:
    return next_steps(Diagnosis.from_json(result), words)


def test_every_remedy_has_a_chinese_name():
    names = {remedy.name for remedy in REMEDIES}
    for name in names | {"longer truncation", "two layers, summed", "layers summed"}:
        assert remedy_name(name, ENGLISH) == name
        assert remedy_name(name, CHINESE) != name or name == "zoneout"
    assert remedy_name("GRU", CHINESE) == "换成 GRU"
    assert remedy_name("something new", CHINESE) == "something new"


VERDICTS = [
    (
        ("vanishing", 1, 9, 1.4, -0.5, 1.0),
        "rnn",
        "Gradients vanish: after 9 steps less than 1 % is left; "
        "this model hardly learns from tokens further back.",
        "梯度消失：往回传 9 步就只剩不到 1%，再往前的词元，这个模型几乎学不到。",
    ),
    (
        ("vanishing", 1, 1, 0.2, -9.0, 1.0),
        "gru",
        "Gradients vanish: after 1 step less than 1 % is left; "
        "this model hardly learns from tokens further back.",
        "梯度消失：往回传 1 步就只剩不到 1%，再往前的词元，这个模型几乎学不到。",
    ),
    (
        ("exploding", 2, None, None, 0.07, 1234.0),
        "rnn",
        "Gradients explode: on the way back through layer 2 they grow to 1,200 times their size; "
        "unless they are clipped, a single step can undo what was learned.",
        "梯度爆炸：在第 2 层往回传时，梯度增大到原来的 1,200 倍；"
        "如果不裁剪，一步更新就可能毁掉已经学到的东西。",
    ),
    (
        ("exploding", 1, None, None, 0.3, 3.14159e11),
        "rnn",
        "Gradients explode: on the way back through layer 1 they grow to 3.1×10¹¹ times their "
        "size; unless they are clipped, a single step can undo what was learned.",
        "梯度爆炸：在第 1 层往回传时，梯度增大到原来的 3.1×10¹¹ 倍；"
        "如果不裁剪，一步更新就可能毁掉已经学到的东西。",
    ),
    (
        ("healthy", 1, 88, 13.27, -0.05, 1.0),
        "lstm",
        "Gradients are healthy: only after 88 steps is less than 1 % left; "
        "half is left after 13 steps.",
        "梯度健康：往回传 88 步之后才剩不到 1%，半衰期为 13 步。",
    ),
    (
        ("healthy", 1, None, None, -0.001, 1.0),
        "lstm",
        "Gradients are healthy: more than 1 % is left at every measured distance, "
        "in fact more than half.",
        "梯度健康：在测量的整个范围内，剩余梯度始终在 1% 以上，而且始终超过一半。",
    ),
    (
        ("no gradient", None, None, None, None, None),
        "ngram",
        "An n-gram model has no gradients that could vanish: it counts, and its memory ends after "
        "the tokens of one n-gram.",
        "n-gram 模型没有梯度，也就谈不上梯度消失：它只做计数，记忆以一个 n-gram 的长度为限。",
    ),
]


@pytest.mark.parametrize(("verdict", "model", "english", "chinese"), VERDICTS)
def test_the_verdict_in_words(verdict, model, english, chinese):
    keys = ("kind", "layer", "horizon", "half_life", "rate", "growth")
    result: Any = dict(zip(keys, verdict, strict=True))
    assert said(result, model, ENGLISH) == english
    assert said(result, model, CHINESE) == chinese


def test_a_growth_without_figure_has_a_sentence_too():
    verdict: Any = fake_verdict("exploding") | {"layer": 1, "growth": math.inf}
    assert said(verdict, "rnn", ENGLISH) == ENGLISH("exploding")


@pytest.mark.parametrize(
    ("kind", "model", "commands"),
    [
        (
            *("vanishing", "rnn"),
            ["--model lstm", "--attention 64"],
        ),
        (
            *("vanishing", "lstm"),
            ["--forget-bias 2", "--gate-init chrono --max-timescale 200", "--attention 64"],
        ),
        ("exploding", "gru", ["--clip-norm 0.25", "--learning-rate 0.001"]),
        ("healthy", "gru", ["--size large", "--sequence-length 128"]),
    ],
)
def test_next_steps_fit_the_verdict_and_the_model(kind, model, commands):
    result: Any = fake_diagnosis(model) | {"verdict": fake_verdict(kind), "cure": None}
    steps = steps_of(result, ENGLISH)
    cure = "unrolled diagnose RUN --out DIR --cure 10m"
    assert [step.command for step in steps] == [*commands, cure]
    chinese = steps_of(result, CHINESE)
    assert [step.command for step in chinese] == [step.command for step in steps]


@pytest.mark.parametrize(("padded_to", "number"), [(500, 3), (None, 2)])
def test_next_steps_of_a_classifier_are_its_own(padded_to, number):
    words = {"positions": [1], "shares": [1e-5], "length": 1, "padded_to": padded_to}
    verdict = fake_verdict("vanishing") | {"arrives": 1e-5}
    result: Any = fake_diagnosis() | {"verdict": verdict, "cure": None, "words": words}
    commands = [step.command for step in steps_of(result, ENGLISH)]
    assert commands == ["", "--pooling all", "--bidirectional"][-number:]
    result["verdict"] = fake_verdict("healthy") | {"arrives": 0.021}
    assert steps_of(result, ENGLISH) == []
    assert said(result["verdict"], "lstm", ENGLISH) == (
        "Gradients reach the first word: it gets 2.1\N{NO-BREAK SPACE}% of the largest gradient."
    )
    assert said(result["verdict"], "lstm", CHINESE) == (
        "梯度能传到第一个词：那里得到最大梯度的 2.1%。"
    )


def test_next_steps_after_a_trial_are_what_it_won():
    result: Any = fake_diagnosis("rnn")
    cure = result["cure"]
    cure["tried"].reverse()
    steps = steps_of(result, ENGLISH)
    assert [step.command for step in steps] == [
        "--model gru",
        "--gate-init chrono",
        "--model transformer",
    ]
    assert steps[0].sentence == "“GRU” helped most of all remedies tried: 0.091 bits per byte less."
    assert steps_of(result, CHINESE)[1].sentence == ("“按时间尺度初始化门”每字节省 0.051 比特。")
    for tried in cure["tried"]:
        tried["gain"] = None if tried["gain"] is None else -abs(tried["gain"])
    (step,) = steps_of(result, ENGLISH)
    assert step.sentence.startswith("No remedy improved the loss on this text")


def test_flags_in_a_step_are_code_and_names_are_text():
    result = fake_diagnosis() | {"cure": None, "words": fake_words()}
    assert "<code>--post-padding-unmasked</code>" in steps_of(result, ENGLISH)[0].sentence
    result = fake_diagnosis()
    result["cure"]["tried"][0]["name"] = "<i>`x`"
    assert "“&lt;i&gt;`x`” helped most" in steps_of(result, ENGLISH)[0].sentence


def test_parts_and_multiples_have_two_digits():
    parts = (1.0, 0.1234, 0.0031, 3.14e-8, 0.0, None, math.nan)
    assert [share(part, CHINESE) for part in parts] == [
        *("100%", "12%", "0.31%", "3.1×10⁻⁸", "0%", "–", "–")
    ]
    assert share(0.5, ENGLISH) == "50\N{NO-BREAK SPACE}%"
    assert [multiple(growth) for growth in (12.4, 1234.0, 3.1e8)] == ["12", "1,200", "3.1×10⁸"]
