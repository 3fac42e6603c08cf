"""Every encoding that people send, and what is said of what is no text."""

import codecs
import io
import unicodedata
import warnings
from pathlib import Path

import pytest

from unrolled.errors import TextError, TextWarning
from unrolled.settings.data import FileFormat
from unrolled.text import encodings
from unrolled.text.documents import read_pieces
from unrolled.text.encodings import decode

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.errors.TextWarning")

CHINESE = "我爱吃苹果和香蕉，今天天气很好。\n我们去公园散步吧，他说好。\n" * 3
DATA = Path(__file__).parents[1] / "data"
CONVERT = "Convert it to UTF-8, mend it there, or name its encoding with --encoding."
POEM = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"


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
    problem = f"cannot be read as utf-8 at byte {at}. {CONVERT}"
    assert refusal(tmp_path / "a.txt", data[:at] + b"\xff" + data[at:]) == problem
    problem = f"cannot be read as utf-8 at byte {at}. {CONVERT}"
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
    problem = "is a binary file, not text. Save it as plain text in UTF-8, or name its encoding "
    problem += "with --encoding."
    assert refusal(tmp_path / "a.txt", data) == problem


def said_of(data: bytes) -> tuple[str, list[str]]:
    """The text of bytes, and what is said of its encoding."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = "".join(decode("a.txt", io.BytesIO(data)))
    return text, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "shift_jis_2004", "euc_jis_2004"])
@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_the_sample_may_end_within_a_character(encoding: str, before: str) -> None:
    poem = POEM if encoding == "gb18030" else "春の夜の夢の浮橋とだえして、峰に別るる横雲の空。"
    text = before + (poem if encoding != "big5hkscs" else "春眠不覺曉，處處聞啼鳥。") * 2000
    assert said_of(text.encode(encoding))[0] == text


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("价格是5€，不贵。" + POEM, "gb18030", "gb18030"),
        ("すべての人間は、生まれながらにして自由であり", "iso2022_jp", "iso2022_jp_2"),
        (POEM, "hz", "hz"),
        ("很旧的酒店，前台服务员没", "gb18030", "gb18030"),  # two thirds are UTF-8 by chance
        ("Все люди рождаются свободными и равными в своем достоинстве", "koi8-r", "koi8-r"),
        ("Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar", "iso8859-9", "cp1254"),
        ("schöne Grüße aus Köln, die Straße ist schön", "mac-roman", "mac-roman"),
        ("schöne Grüße aus Köln, die Straße ist schön", "cp437", "cp437"),
        ("มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน", "tis-620", "cp874"),
    ],
)
def test_a_guess_is_right_and_said(text: str, encoding: str, name: str) -> None:
    read_as, said = said_of(text.encode(encoding))
    assert read_as == text
    assert len(said) == 1 and said[0].startswith(f"a.txt is read as {name}, ")
    assert said[0].endswith(". Name another with --encoding.")


def test_windows_writes_the_euro_sign_in_gbk_as_byte_80() -> None:
    data = POEM.encode("gbk") + "价格是5".encode("gbk") + b"\x80" + "，不贵".encode("gbk")
    assert said_of(data)[0] == POEM + "价格是5€，不贵"
    assert said_of(data[: data.index(b"\x80") + 1])[0] == POEM + "价格是5€"


VIETNAMESE = unicodedata.normalize("NFD", "Tất cả mọi người sinh ra đều được tự do và bình đẳng")
for _base in "aouieAOUIE":
    for _mark in "\u0302\u0306\u031b":
        VIETNAMESE = VIETNAMESE.replace(_base + _mark, unicodedata.normalize("NFC", _base + _mark))
SHORT = [
    ("Все люди рождаются свободными", "koi8-r"),
    ("Все люди рождаются свободными", "iso8859-5"),
    ("Все люди рождаются свободными", "cp866"),
    ("Все люди рождаются свободными", "cp1251"),
    ("Bugün hava çok güzel, dışarı çıkalım", "iso8859-9"),
    (VIETNAMESE.replace("ẳ", "ă\u0309").replace("ằ", "ă\u0300"), "cp1258"),
    ("Les élèves étaient très fatigués après l'école, où ils étaient", "mac-roman"),
    ("Les élèves étaient très fatigués après l'école", "cp437"),
    ("Les élèves étaient très fatigués après l'école, où ils étaient", "cp850"),
    ("It’s a dog’s life", "cp1252"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy", "iso8859-2"),
    ("Όλοι οι άνθρωποι γεννιούνται ελεύθεροι", "cp1253"),
    ("Visi cilvēki piedzimst brīvi un vienlīdzīgi", "cp1257"),
    ("好", "gb18030"),
    ("春眠不覺曉", "big5"),
    ("今日は良い天気", "shift_jis"),
]


@pytest.mark.parametrize(("text", "encoding"), SHORT, ids=lambda value: value[:12])
@pytest.mark.parametrize("lines", [1, 20])
def test_little_text_is_right_or_said_to_be_doubtful(text: str, encoding: str, lines: int) -> None:
    text = (text + "\n") * lines
    read_as, said = said_of(text.encode(encoding))
    assert len(said) == 1
    assert read_as == text or ", a doubtful guess" in said[0]


def test_utf8_is_not_worth_a_word() -> None:
    assert said_of("naïve ~{code~} and 好\n".encode()) == ("naïve ~{code~} and 好\n", [])


def test_byte_order_marks_are_no_letters() -> None:
    one = codecs.BOM_UTF8 + "é\n".encode()
    assert said_of(one + one + codecs.BOM_UTF8 + one) == ("é\né\né\n", [])
    assert said_of("\ufeffa".encode("utf-16-le") * 2)[0] == "aa"


def test_an_encoding_that_is_named_decides(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Привет".encode("koi8-r"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, text in (("koi8-r", "Привет"), ("latin-1", "ðÒÉ×ÅÔ")):
            found = read_pieces([tmp_path / "a.txt"], files=FileFormat(encoding=name))
            assert [piece.text for piece in found] == [text]
    with pytest.raises(TextError, match="cannot be read as ascii at byte 0"):
        list(read_pieces([tmp_path / "a.txt"], files=FileFormat(encoding="ascii")))


class Trickle(io.BytesIO):
    """A pipe that has a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read(3)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(3, size or 3) if size != -1 else 3)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "big5hkscs", "utf-16", "utf-16-le", "utf-32"]
)
def test_a_pipe_gives_what_a_file_gives(encoding: str) -> None:
    data = ("only ascii\r\r\n" * 9 + "人人生而自由，在尊嚴和權利上一律平等。\n").encode(encoding)
    assert "".join(decode("-", Trickle(data))) == said_of(data)[0]
    assert "".join(decode("-", Trickle(data), live=True)) == said_of(data)[0]


def test_lines_of_a_pipe_are_decoded_before_it_ends() -> None:
    class Waiting(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return self.readline()

    pipe = Waiting("one\nzwö\nthree\n".encode())
    chunks = decode("-", pipe, live=True)
    assert (next(chunks), next(chunks), pipe.tell()) == ("one\n", "zwö\n", 9)


def test_a_doubt_is_a_warning_of_its_own() -> None:
    with pytest.warns(TextWarning, match="a.txt is read as cp1252, a doubtful guess"):
        "".join(decode("a.txt", io.BytesIO(b"caf\xe9")))
