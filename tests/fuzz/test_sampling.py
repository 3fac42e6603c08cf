"""Every option of sampling, with any value."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unrolled.inference.generation import SamplingConfig, generate
from unrolled.models.build import build
from unrolled.settings.models import RecurrentConfig
from unrolled.text.tokenizers import CharTokenizer, Spelling

from .mutations import EXAMPLES, FEW

CHARS = CharTokenizer(list("abcdef"), Spelling([1] * 257))
ANYTHING = st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.integers(), st.floats())
OPTIONS = {
    "repetition_penalty": st.one_of(st.floats(0, 200), ANYTHING),
    "temperature": st.one_of(st.floats(0, 2), st.floats(0), ANYTHING),
    "top_k": st.one_of(st.integers(0, 20), ANYTHING),
    "top_p": st.one_of(st.floats(0, 1), ANYTHING),
    "min_p": st.one_of(st.floats(0, 1), ANYTHING),
    "stop": st.one_of(st.lists(st.text(max_size=2), max_size=2), ANYTHING),
    "seed": st.one_of(st.integers(), ANYTHING),
}
SETTINGS = st.fixed_dictionaries({"max_tokens": st.integers(-1, 8)}, optional=OPTIONS)
torch.manual_seed(0)
MODEL = build(RecurrentConfig("gru", hidden_size=8, embedding_size=4), CHARS.vocab_size).eval()


@settings(
    max_examples=EXAMPLES or FEW,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(options=SETTINGS, prompt=st.text("abcxyz\u6211\ud800", max_size=4), rows=st.integers(0, 3))
def test_every_option(survives, options, prompt, rows):
    def write() -> None:
        texts = generate(MODEL, CHARS, prompt, SamplingConfig(**options), rows)
        assert len(texts) == rows and all(len(text) <= 8 for text in texts)

    survives(write, (options, prompt, rows))
