"""Files are found and opened, and what cannot be read is named."""

import errno
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from unrolled.errors import TextError, TextWarning
from unrolled.text import encodings
from unrolled.text.files import (
    STANDARD_INPUT,
    find_files,
    open_bytes,
    read_chunks,
    read_lines,
    title_of,
    zstd,
)


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
    with gzip.open(tmp_path / "empty.txt.gz", "wb"):
        pass
    found = find_files([str(tmp_path)])
    assert [path.name for path in found] == ["a.txt", "b.txt"]  # an empty file is passed over
    with pytest.raises(TextError, match=r"b\.txt cannot be read as utf-8 at byte 80"):
        list(read_chunks(found[1]))
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


def test_a_folder_in_any_encoding(tmp_path: Path) -> None:
    text = "x" + "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。" * 2000
    (tmp_path / "a.txt").write_bytes(text.encode("gb18030"))
    (tmp_path / "b.txt").write_text(text, "utf-8")
    first, second = find_files([str(tmp_path)])
    with pytest.warns(TextWarning, match=r"a.txt is read as gb18030, guessed from its bytes"):
        assert "".join(read_chunks(first)) == text
    assert "".join(read_chunks(second)) == text
    (tmp_path / "b.txt").write_bytes("ab".encode("utf-32-le"))
    assert find_files([str(tmp_path)], "utf-32-le") == [tmp_path / "b.txt"]


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    said = refusal(lambda: find_files([str(tmp_path)]), tmp_path / "closed")
    assert said == (
        "cannot be read (Permission denied). Change its permissions, or name the files to read."
    )


@pytest.mark.parametrize(
    "names",
    [
        ("config.json", "tokenizer.json"),
        ("train.ids",),
        ("results.json", "report.html"),
        ("comparison.json", "report.html"),
    ],
)
def test_results_among_texts_are_passed_over_and_said(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "run" / "given").mkdir(parents=True)
    for name in (*names, "log.jsonl", "given/b.txt"):
        (tmp_path / "run" / name).write_text("text")
    with pytest.warns(TextWarning, match=r"run is a folder of results and was passed over. Name"):
        assert find_files([str(tmp_path)]) == [tmp_path / "a.txt"]
    assert len(find_files([str(tmp_path / "run")])) == len(names) + 2


def test_a_text_that_grows_is_read_as_long_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "CHUNK", 4)
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    read = ""
    for chunk in read_chunks(path):
        read += chunk
        with path.open("a") as file:
            file.write("more\n")
    assert read == "one\ntwo\n"
    with open_bytes(path) as file:
        assert file.seek(-5, 2) + 5 == path.stat().st_size


def test_carriage_returns_are_line_ends_where_there_are_no_others(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for data, text in ((b"a\rb\r", "a\nb\n"), (b"a\rb\n", "a\rb\n"), (b"a\r", "a\r")):
        path.write_bytes(data)
        assert "".join(read_chunks(path)) == text


def test_a_long_line_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each character is looked at a few times, however many chunks the line has."""
    monkeypatch.setattr(encodings, "CHUNK", 64)
    looked_at = 0

    class Counted(str):
        def split(self, *given: object) -> list[str]:  # type: ignore[override]
            nonlocal looked_at
            looked_at += len(self)
            return super().split(*given)  # type: ignore[arg-type]

    chunks = ["x" * 64] * 1000 + ["\nlast"]
    monkeypatch.setattr("unrolled.text.files.read_chunks", lambda *_: map(Counted, chunks))
    assert list(read_lines(tmp_path)) == ["x" * 64_000 + "\n", "last"]
    assert looked_at == 64_005


def test_standard_input_is_a_text_and_a_file_may_have_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfpiped\n")))
    monkeypatch.chdir(tmp_path)
    Path("./-").write_text("in a file")
    assert [list(read_chunks(path)) for path in find_files(["-", "./-"])] == [
        ["piped\n"],
        ["in a file"],
    ]
    assert find_files(["."]) == [tmp_path / "-"]
    assert title_of(["-", "b/c.txt"]) == "standard input, c.txt"
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(TextError, match="standard input is closed"):
        list(read_chunks(STANDARD_INPUT))
