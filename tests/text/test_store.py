"""A store is read as it was written, and nothing half-done or damaged is ever read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unrolled.errors import CheckpointError, ConfigError
from unrolled.settings.data import DataConfig
from unrolled.text.prepare import prepare
from unrolled.text.store import TokenStore
from unrolled.text.tokenizers import ByteTokenizer, Ids, Spelling, Tokenizer, WordTokenizer

DATA = Path(__file__).parents[1] / "data"
ENGLISH_PATH = str(DATA / "english.txt")
ENGLISH = (DATA / "english.txt").read_text("utf-8")
REMEDY = "Prepare the text again."


def refusal(kind: type[Exception], act: Any, path: Path | str) -> str:
    with pytest.raises(kind) as error:
        act()
    return str(error.value).removeprefix(f"{path} ")


class Failing(ByteTokenizer):
    """Stops in the middle of the second split, as a full disk or Ctrl-C would."""

    calls = 0

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().encode_many(texts)


def test_an_interrupted_build_leaves_no_store(tmp_path: Path) -> None:
    config = DataConfig((ENGLISH_PATH,))
    _, old = prepare(config, tmp_path)
    ids = old.tokens("train")
    expected = ids.tolist()
    with pytest.raises(KeyboardInterrupt):
        prepare(config, tmp_path, Failing())
    problem = refusal(CheckpointError, lambda: TokenStore.open(tmp_path), tmp_path / "store.json")
    assert problem == f"cannot be read (No such file or directory). {REMEDY}"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert ids.tolist() == expected  # whoever has the old ids mapped still reads them
    assert prepare(config, tmp_path)[1] == old


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return prepare(DataConfig((ENGLISH_PATH,), tokenizer="byte"), tmp_path)[1]


def test_a_store_is_opened_as_it_was_made(store: TokenStore) -> None:
    assert TokenStore.open(store.folder, ByteTokenizer()) == store


def test_the_tokenizer_has_to_fit(store: TokenStore, tmp_path: Path) -> None:
    other: Tokenizer = WordTokenizer(["a"], Spelling([0] * 257), split_punctuation=False)
    problem = refusal(CheckpointError, lambda: TokenStore.open(tmp_path, other), tmp_path)
    made, asked = ByteTokenizer().fingerprint[:8], other.fingerprint[:8]
    assert problem == f"was made with tokenizer {made}, not {asked}. {REMEDY}"


def test_splits_that_are_not_there(store: TokenStore) -> None:
    problem = "split must be one of train, valid, test, got text. Choose one of these."
    assert refusal(ConfigError, lambda: store.tokens("text"), "") == problem


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", "null", '{"splits": {"a": {}}}', '{"splits": {}}']
)
def test_damaged_index(store: TokenStore, tmp_path: Path, text: str) -> None:
    path = tmp_path / "store.json"
    path.write_text(text)
    problem = refusal(CheckpointError, lambda: TokenStore.open(tmp_path), path)
    assert problem.startswith("is damaged (") and problem.endswith(f"). {REMEDY}")
    assert "\n" not in problem


def test_an_index_that_is_nested_too_deeply(store: TokenStore, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError) as caught:
        TokenStore.open(tmp_path)
    assert "is damaged (it is nested too deeply)" in str(caught.value)


def test_damaged_ids(store: TokenStore, tmp_path: Path) -> None:
    path, length = tmp_path / "valid.ids", store.split("valid").num_tokens + 1
    data = path.read_bytes()
    cases = {
        data[:-2]: f"has {length - 1} numbers, not {length}. {REMEDY}",
        data + b"\0\0": f"has {length + 1} numbers, not {length}. {REMEDY}",
    }
    for damaged, expected in cases.items():
        path.write_bytes(damaged)
        assert refusal(CheckpointError, lambda: TokenStore.open(tmp_path), path) == expected
    for damaged in (data[:-1], b""):
        path.write_bytes(damaged)
        problem = refusal(CheckpointError, lambda: TokenStore.open(tmp_path), path)
        assert problem.startswith("cannot be read (") and problem.endswith(f"). {REMEDY}")
    path.unlink()
    expected = f"cannot be read (No such file or directory). {REMEDY}"
    assert refusal(CheckpointError, lambda: TokenStore.open(tmp_path), path) == expected


def test_damaged_byte_counts(store: TokenStore, tmp_path: Path) -> None:
    path = tmp_path / "token_bytes.int32"
    path.write_bytes(b"\0" * 8)
    problem = refusal(CheckpointError, lambda: store.token_bytes, path)
    assert problem == f"has 2 numbers, not 257. {REMEDY}"
