"""Files are found and opened, and what cannot be read is named."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from unrolled.errors import TextError
from unrolled.text.files import find_files, read_chunks, zstd


def refusal(act: Callable[[], object], path: Path) -> str:
    with pytest.raises(TextError) as error:
        act()
    return str(error.value).removeprefix(f"{path} ")


def test_folders_in_order_without_hidden_and_binary_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/.hidden.txt", ".git/c.txt", "a/y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0\0\0")
    found = find_files([str(tmp_path), str(tmp_path / "b.txt")])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b.txt", "a/y.txt", "a/z.md"]


def test_paths_that_give_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "no.txt"
    assert refusal(lambda: find_files([str(missing)]), missing) == "does not exist. Check the path."
    problem = "holds no readable text. Give a folder with text files."
    assert refusal(lambda: find_files([str(tmp_path)]), tmp_path) == problem
    empty = tmp_path / "empty.txt"
    empty.touch()
    assert refusal(lambda: list(read_chunks(empty)), empty) == "is empty. Give a file with text."


def test_text_that_is_damaged_is_named_inside_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\n")
    (tmp_path / "b.txt").write_bytes("é".encode() * 40 + b"\xff" + "é".encode() * 40)
    with pytest.raises(TextError, match=r"b\.txt is UTF-8 with a damaged byte at position 80"):
        find_files([str(tmp_path)])
    with gzip.open(tmp_path / "empty.txt.gz", "wb"):
        pass
    with pytest.raises(TextError, match=r"b\.txt is UTF-8"):  # an empty file is passed over
        find_files([str(tmp_path)])
    (tmp_path / "b.txt").rename(tmp_path / "b.gz")
    with pytest.raises(TextError, match=r"b\.gz is damaged or not gz at all"):
        find_files([str(tmp_path)])


@pytest.mark.parametrize(("name", "compress"), [("gz", gzip.compress), ("zst", zstd.compress)])
def test_damaged_compression(tmp_path: Path, name: str, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"a.txt.{name}"
    noise = bytes(range(32, 127)) * 3 + json.dumps(list(range(20_000))).encode()
    for data in (compress(noise)[:-500], b"this is no archive"):
        path.write_bytes(data)
        said = refusal(lambda: list(read_chunks(path)), path)
        assert said.startswith(f"is damaged or not {name} at all (")
        assert said.endswith("). Make or fetch the file again.")
