"""Kneser-Ney: the numbers of a plain program from the paper, and distributions that sum to one."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unrolled.errors import CheckpointError, ConfigError, ShapeError
from unrolled.ngram import kneser_ney
from unrolled.ngram.counts import count_ngrams, merge
from unrolled.ngram.kneser_ney import KneserNey, Level, estimate

from .reference import Reference
from .streams import STREAMS, random_stream

V = 30


def make(name: str, order: int) -> KneserNey:
    return estimate(count_ngrams(STREAMS[name], order, V))


def histories(tokens: np.ndarray, order: int) -> np.ndarray:
    """The last N - 1 tokens at every place of a stream, `(L, N - 1)`."""
    padded = np.concatenate([np.full(order - 1, -1), tokens])
    rows = np.arange(len(tokens))[:, None] + np.arange(1, order)
    return padded[rows]


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("order", range(1, 9))
def test_scores_are_those_of_the_paper(name, order):
    seen = STREAMS[name][:150].tolist()
    # Known text, then text with other documents, unseen ids and unseen n-grams.
    tokens = [*seen, *random_stream(9, 150, V).tolist(), 0, 1, 29, 0, 0, 29, 29, 0]
    reference = Reference(STREAMS[name].tolist(), order, V)
    found = make(name, order).score_stream(np.array(tokens))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.score(tokens), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_distributions_are_those_of_the_paper_and_sum_to_one(name, order):
    tokens = np.concatenate([STREAMS[name][:20], random_stream(9, 20, V)])
    model, reference = make(name, order), Reference(STREAMS[name].tolist(), order, V)
    found = model.next_log_probs(histories(tokens, order))
    assert found.shape == (len(tokens), V)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found.astype(float)).sum(1), 1, rtol=0, atol=1e-6)
    for end, row in enumerate(found, 1):
        context = reference.context(tokens[:end].tolist())
        expected = np.log([reference.prob(word, context) for word in range(V)])
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["text", "long text"])
def test_estimated_and_substituted_discounts_are_those_of_the_paper(name):
    model, reference = make(name, 5), Reference(STREAMS[name].tolist(), 5, V)
    np.testing.assert_allclose(model.discounts, reference.discounts, rtol=1e-12)
    substituted = [k for k, d in enumerate(model.discounts, 1) if d == (0.5, 1.0, 1.5)]
    assert 0 < len(substituted) < 5
    assert model.notes == tuple(
        f"Order {k}: too few n-grams that occur once to three times to estimate discounts; "
        "used 0.5, 1.0, 1.5."
        for k in substituted
    )


def test_a_discount_of_zero_is_substituted():
    # n1..n4 = 2, 1, 1, 0 gives D2 = 2 - 3 / 2 > 0; with n3 = 4 it is 2 - 3 * 0.5 * 4 < 0.
    assert kneser_ney._discounts(np.array([1, 1, 2, 3])) == (0.5, 0.5, 3.0)
    assert kneser_ney._discounts(np.array([1, 1, 2, 3, 3, 3, 3])) is None
    assert kneser_ney._discounts(np.array([1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3])) is None
    assert kneser_ney._discounts(np.array([1, 1, 3, 4])) is None


def test_unseen_ids_share_what_discounts_leave():
    model = make("one word, often", 1)  # 3 and 0, nine times each, of 30 ids
    assert np.exp(model.levels[0].log_probs[[1, 7, 29]]) == pytest.approx(3 / 18 / 30)
    assert np.exp(model.levels[0].log_probs[[0, 3]]) == pytest.approx((9 - 1.5) / 18 + 3 / 18 / 30)


def test_what_was_read_before_a_boundary_does_not_count():
    model = make("text", 5)
    tokens = random_stream(5, 60, V)
    alone = model.score_stream(np.concatenate([[0], tokens[1:]]))
    after = model.score_stream(np.concatenate([STREAMS["text"], tokens[1:]]))
    np.testing.assert_array_equal(after[-len(alone) :], alone)


def test_long_streams_are_scored_in_pieces(monkeypatch):
    model, tokens = make("text", 5), random_stream(6, 500, V)
    whole = model.score_stream(tokens)
    for size in (1, 2, 7, 499):
        monkeypatch.setattr(kneser_ney, "CHUNK", size)
        np.testing.assert_array_equal(model.score_stream(tokens), whole)


def test_nothing_read_is_no_context():
    model = make("text", 3)
    log_probs = model.next_log_probs(np.full((1, 2), -1))
    np.testing.assert_allclose(log_probs[0], model.levels[0].log_probs)
    np.testing.assert_array_equal(
        model.score_stream(np.array([-1, 4, -1, 5])), log_probs[0, [4, 0, 5]] * [1, 0, 1]
    )
    assert model.next_log_probs(np.full((0, 2), -1)).shape == (0, V)
    assert model.score_stream(np.array([0])).shape == (0,)


def test_top_words_are_the_best_of_all():
    model = make("long text", 4)
    words, log_probs = model.top_words(np.array([0, 3, 2]), 5)
    full = model.next_log_probs(np.array([[0, 3, 2]]))[0]
    np.testing.assert_array_equal(log_probs, np.sort(full)[::-1][:5])
    np.testing.assert_array_equal(full[words], log_probs)
    np.testing.assert_array_equal(model.top_words(np.array([7, 7, 0, 3, 2]), 5)[0], words)
    assert model.top_words(np.array([], np.int64), 3)[0].shape == (3,)
    assert len(model.top_words(np.array([0]), 99)[0]) == V


def test_merged_counts_give_the_same_model():
    texts = [random_stream(seed, 300, V) for seed in (1, 2)]
    together = estimate(count_ngrams(np.concatenate([texts[0], texts[1][1:]]), 4, V))
    merged = estimate(merge(*(count_ngrams(text, 4, V) for text in texts)))
    for one, two in zip(together.levels, merged.levels, strict=True):
        np.testing.assert_array_equal(one.log_probs, two.log_probs)


def assert_equal(one: KneserNey, two: KneserNey) -> None:
    assert replace(one, levels=()) == replace(two, levels=())
    for a, b in zip(one.levels, two.levels, strict=True):
        for name in ("keys", "log_probs", "log_backoffs"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("order", [1, 2, 5, 8])
def test_a_saved_model_is_the_same(tmp_path, name, order):
    model = make(name, order)
    model.save(tmp_path / "a" / "model.safetensors")
    loaded = KneserNey.load(tmp_path / "a" / "model.safetensors")
    assert_equal(loaded, model)
    assert not loaded.levels[0].keys.flags.writeable
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.safetensors"]
    tokens = random_stream(5, 60, V)
    np.testing.assert_array_equal(loaded.score_stream(tokens), model.score_stream(tokens))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    model, path = make("text", 3), tmp_path / "model"
    model.save(path)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unrolled.ngram.files.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make("long text", 3).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def resave(path, change) -> None:
    """Changes the arrays or the metadata of a saved model."""
    header_size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + header_size])
    metadata = {name: json.loads(text) for name, text in header["__metadata__"].items()}
    arrays = {name: array.copy() for name, array in load_file(path).items()}
    change(arrays, metadata)
    save_file(arrays, path, {name: json.dumps(value) for name, value in metadata.items()})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a, m: m.update(kind="other"), "holds other, not n-gram model. Give another."),
        (lambda a, m: m.pop("notes"), "lacks 'notes'. Train the model again."),
        (lambda a, m: m.update(order=4), "lacks 'keys.4'. Train the model again."),
        (lambda a, m: m.update(order=2), "is damaged at order 2. Train the model again."),
        (lambda a, m: a.pop("log_probs.2"), "lacks 'log_probs.2'. Train the model again."),
        (
            lambda a, m: a.update({"log_probs.2": a["log_probs.2"][1:]}),
            "is damaged at order 2. Train the model again.",
        ),
        (
            lambda a, m: a["log_probs.3"].__setitem__(0, np.nan),
            "is damaged at order 3. Train the model again.",
        ),
        (
            lambda a, m: a["log_backoffs.1"].__setitem__(0, np.nan),
            "is damaged at order 1. Train the model again.",
        ),
        (
            lambda a, m: a["keys.3"].__setitem__(-1, 1 << 40),
            "has n-grams out of order. Make the file again.",
        ),
        (
            lambda a, m: m.update(vocab_size=V - 1),
            "has n-grams out of order. Make the file again.",
        ),
        (
            lambda a, m: a.update({"keys.3": a["keys.3"].astype(np.int16)}),
            "is not a complete file of n-gram model: keys.3 is of type I16. Make it again.",
        ),
        *(
            (
                lambda a, m, name=name, value=value: m.update({name: value}),
                f"is not a complete file of n-gram model: its {name} is no number. Make it again.",
            )
            for name in ("order", "vocab_size")
            for value in (None, float(V), {}, "", True)
        ),
    ],
)
def test_a_damaged_model_is_refused(tmp_path, change, problem):
    path = tmp_path / "model"
    make("text", 3).save(path)
    resave(path, change)
    with pytest.raises(CheckpointError) as caught:
        KneserNey.load(path)
    assert str(caught.value) == f"{path} {problem}"


@pytest.mark.parametrize("kept", [0, 5, 8, 300, -1])
def test_a_cut_file_is_refused(tmp_path, kept):
    path = tmp_path / "model"
    make("text", 3).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        CheckpointError, match=f"^{re.escape(str(path))} is not a complete file of n-gr"
    ):
        KneserNey.load(path)


def test_bad_input_is_named():
    model = make("text", 3)
    for call in (model.score_stream, lambda t: model.next_log_probs(t[None])):
        with pytest.raises(ConfigError) as caught:
            call(np.array([0, 30]))
        assert str(caught.value) == (
            "tokens must be ids below 30, got 30. Encode the text with this model's own tokenizer."
        )
    with pytest.raises(ConfigError, match=r"^tokens must be ids below 30, got -2\. "):
        model.score_stream(np.array([0, -2]))
    with pytest.raises(ShapeError) as caught:
        model.next_log_probs(np.zeros((4, 3), np.int64))
    assert str(caught.value) == "contexts must have shape (B, 2), got (4, 3)."


def test_levels_of_another_origin_may_be_empty():
    first = make("text", 2).levels
    empty = Level(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))
    backoffs = np.full(len(first[1].keys), -0.5, np.float32)
    last = Level(first[1].keys, first[1].log_probs, backoffs)
    tokens = random_stream(5, 60, V)
    found = KneserNey(V, (first[0], last, empty))
    shorter = KneserNey(V, first)
    seen = np.isin(tokens[:-2] * V + tokens[1:-1], first[1].keys) & (tokens[1:-1] != 0)
    expected = shorter.score_stream(tokens)
    expected[1:][seen] -= 0.5
    np.testing.assert_allclose(found.score_stream(tokens), expected, rtol=1e-6)
    rows = found.next_log_probs(histories(tokens, 3))[:-1]
    np.testing.assert_allclose(rows[np.arange(60), tokens[1:61]], expected[:60], rtol=1e-6)
