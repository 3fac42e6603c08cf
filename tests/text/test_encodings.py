"""Every encoding that people send, and what is said of what is no text."""

import codecs
from pathlib import Path

import pytest

from unrolled.errors import TextError
from unrolled.text import encodings
from unrolled.text.documents import read_pieces

CHINESE = "我爱吃苹果和香蕉，今天天气很好。\n我们去公园散步吧，他说好。\n" * 3
DATA = Path(__file__).parents[1] / "data"
CONVERT = "Convert it to UTF-8, or mend it there."


def read(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return "".join(piece.text for piece in read_pieces([path]))


def refusal(path: Path, data: bytes) -> str:
    with pytest.raises(TextError) as error:
        read(path, data)
    return str(error.value).removeprefix(f"{path} ")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030"],
)
def test_chinese_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path / "a.txt", CHINESE.encode(encoding)) == CHINESE


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("schöne Grüße aus Köln, die Straße ist schön\n" * 5, "latin-1"),
        ("En un lugar de la Mancha hace años vivía un hidalgo, y no quiero acordarme", "cp1252"),
        ("As ações são boas e as opiniões também; põe o pão na mão\n", "cp1252"),
        ("Åke såg på fåglarna när han gick över ängen för att få något\n", "latin-1"),
        ("He was naïve, and the café was closed.\n" * 30, "cp1252"),
        ("cafés", "latin-1"),
        ("café\n", "latin-1"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy. Všichni lidé jsou svobodní\n", "cp1250"),
        ("Все люди рождаются свободными и равными\n", "koi8-r"),
        ("Все люди рождаются свободными и равными в своем достоинстве\n", "iso8859-5"),
        ("Все люди рождаются свободными и равными в своем достоинстве\n", "cp866"),
        ("모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다\n", "cp949"),
        ("人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心\n", "big5"),
        ("すべての人間は、生まれながらにして自由であり、かつ平等である。\n", "euc-jp"),
        ("Привет, как дела сегодня утром\n" * 5, "cp1251"),
        ("今日はとても良い天気ですから散歩に行きましょう\n" * 5, "shift_jis"),
        ("a\r\nb\n", "utf-16-be"),
        ("x", "utf-16-le"),
    ],
)
def test_other_encodings(tmp_path: Path, text: str, encoding: str) -> None:
    assert read(tmp_path / "a.txt", text.encode(encoding)) == text


def test_the_first_foreign_byte_may_come_late(tmp_path: Path) -> None:
    text = "only ascii here\n" * 40_000 + CHINESE
    assert read(tmp_path / "a.txt", text.encode("gb18030")) == text


def test_the_foreign_byte_may_stand_in_a_very_long_line(tmp_path: Path) -> None:
    text = "x " * 12_000 + "café" + " y" * 100 + "\n" + "plain line\n" * 2000
    assert read(tmp_path / "a.txt", text.encode("latin-1")) == text


def test_characters_survive_every_cut_between_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a😀é我\r\n\u0085\u2028" * 9
    monkeypatch.setattr(encodings, "CHUNK", 3)
    monkeypatch.setattr(encodings, "SAMPLE", 5)
    assert read(tmp_path / "a.txt", text.encode()) == text
    assert read(tmp_path / "a.txt", text.encode("utf-16")) == text


def test_damage_is_named_with_its_position(tmp_path: Path) -> None:
    data = (DATA / "chinese.txt").read_bytes() * 30
    at = len((data[:300_000]).decode("utf-8", "ignore").encode())
    problem = f"is UTF-8 with a damaged byte at position {at}. {CONVERT}"
    assert refusal(tmp_path / "a.txt", data[:at] + b"\xff" + data[at:]) == problem
    problem = f"is UTF-8 with a damaged byte at position {at}. {CONVERT}"
    assert refusal(tmp_path / "a.txt", data[: at + 1]) == problem


def test_strict_after_a_byte_order_mark(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + b"ok \xff"
    assert refusal(tmp_path / "a.txt", data) == f"cannot be read as utf-8 at byte 6. {CONVERT}"
    data = codecs.BOM_UTF16_LE + "ab".encode("utf-16-le") + b"\x00\xdc"
    assert refusal(tmp_path / "a.txt", data) == f"cannot be read as utf-16-le at byte 6. {CONVERT}"


def test_late_nul(tmp_path: Path) -> None:
    data = b"a" * 300_000 + b"\0b"
    problem = f"has a NUL character at byte 300000. {CONVERT}"
    assert refusal(tmp_path / "a.txt", data) == problem


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0", bytes(range(256)) * 9, b"ok\0ok", b"\x01\x02\x03\x04" * 9],
)
def test_binary(tmp_path: Path, data: bytes) -> None:
    problem = "is a binary file, not text. Save it as plain text in UTF-8."
    assert refusal(tmp_path / "a.txt", data) == problem
