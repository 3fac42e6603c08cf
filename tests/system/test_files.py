"""Files are whole or absent."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from safetensors import SafetensorError

from unrolled.errors import CheckpointError
from unrolled.system.files import (
    TEMPORARY,
    locked,
    remove_left_behind,
    write_atomically,
    write_json,
    write_text,
)

HOLD = """
import sys, time
from pathlib import Path
from unrolled.system.files import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a new folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_one_process_at_a_time_writes_a_folder_and_a_killed_one_leaves_no_lock(tmp_path, holder):
    run = tmp_path / "run"
    with pytest.raises(CheckpointError) as caught, locked(run):
        raise AssertionError("not refused")
    remedy = "Wait for it, or choose another --out."
    assert str(caught.value) == f"{run} is being written by another process. {remedy}"
    assert list(run.iterdir()) == []
    holder.kill()
    holder.wait()
    with locked(run):
        (run / "file").touch()


def test_a_folder_that_is_new_and_stays_empty_is_removed(tmp_path):
    with locked(tmp_path / "a" / "run"):
        assert (tmp_path / "a" / "run").is_dir()
    assert not (tmp_path / "a" / "run").exists()
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty"):
        pass
    assert (tmp_path / "empty").is_dir()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"file is not a folder. Choose another --out."):
        locked(tmp_path / "file").__enter__()


def test_only_what_is_ours_is_tidied_up(tmp_path):
    for name in (".my.json.d", ".search-x", f"{TEMPORARY}1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / ".config.json.swp").touch()
    (tmp_path / f"{TEMPORARY}2").touch()
    (tmp_path / f"{TEMPORARY}3").symlink_to(tmp_path / ".my.json.d")
    remove_left_behind(tmp_path)
    left = {".my.json.d", ".search-x", ".config.json.swp", f"{TEMPORARY}2", f"{TEMPORARY}3"}
    assert {path.name for path in tmp_path.iterdir()} == left
    assert (tmp_path / ".my.json.d" / "file").exists()


def test_writes_into_a_new_folder(tmp_path):
    target = tmp_path / "new" / "file"
    write_atomically(target, lambda path: path.write_text("all"))
    assert target.read_text() == "all"
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(target.parent.iterdir()) == [target]


def test_replaces_an_older_file(tmp_path):
    target = tmp_path / "file"
    target.write_text("a longer old text")
    write_atomically(target, lambda path: path.write_text("new"))
    assert target.read_text() == "new"


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    seen = []

    def write(path):
        path.write_text("new")
        seen.append(target.read_text())

    write_atomically(target, write)
    assert seen == ["old"]


@pytest.mark.parametrize("old", ["old", None])
def test_a_failed_write_changes_nothing(tmp_path, old):
    target = tmp_path / "file"
    if old:
        target.write_text(old)

    def write(path):
        path.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(target, write)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == (
        {"file": old} if old else {}
    )


def test_what_is_no_file_is_left_alone(tmp_path):
    target = tmp_path / "pipe"
    os.mkfifo(target)
    with pytest.raises(OSError, match="it is not a regular file"):
        write_atomically(target, lambda path: path.write_text("new"))
    assert target.is_fifo()


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/null", "/dev/fd/1", "/dev/new"])
def test_devices_are_left_alone(target, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryDirectory", None)  # nothing is begun
    with pytest.raises(OSError, match="it is not a regular file"):
        write_atomically(target, lambda path: path.write_text("new"))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this system has no memory for files")
def test_memory_for_files_is_no_device():
    with TemporaryDirectory(dir="/dev/shm") as folder:
        write_atomically(Path(folder) / "file", lambda path: path.write_text("new"))
        assert (Path(folder) / "file").read_text() == "new"


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", lambda path: path.write_text("new"))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"


def test_permissions_are_those_of_new_files(tmp_path):
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", lambda path: path.write_text("new"))
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_of_tensors_names_the_file(tmp_path):
    def write(path):
        raise SafetensorError("the disk is full")

    with pytest.raises(OSError, match="the disk is full") as caught:
        write_atomically(tmp_path / "file", write)
    assert caught.value.filename == str(tmp_path / "file")


def test_an_interrupted_write_changes_nothing(tmp_path):
    def write(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", write)
    assert list(tmp_path.iterdir()) == []


def test_what_safetensors_begins_is_removed_too(tmp_path):
    def write(path):
        (path.parent / ".tmpX").write_text("its own temporary file")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", write)
    assert list(tmp_path.iterdir()) == []


def test_text_is_written_as_utf_8_whole_or_not_at_all(tmp_path):
    write_text(tmp_path / "file", "诗\n")
    assert (tmp_path / "file").read_bytes() == "诗\n".encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "file", "\udcff")
    assert (tmp_path / "file").read_text("utf-8") == "诗\n"


@pytest.mark.parametrize(("text", "shown"), [("诗", '"诗"'), ("诗\udcff", r'"\u8bd7\udcff"')])
def test_json_holds_any_text_even_the_name_of_a_file_that_is_not_utf_8(tmp_path, text, shown):
    write_json(tmp_path / "file", {"texts": [text]})
    written = (tmp_path / "file").read_text("utf-8")
    assert written == f'{{\n  "texts": [\n    {shown}\n  ]\n}}\n'
    assert json.loads(written) == {"texts": [text]}
