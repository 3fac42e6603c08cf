"""Tables for other programs: every cell arrives whole, whatever stands in it."""

import csv
import io
import math
import re

import pytest

from unrolled.report.table_text import csv_text, latex, markdown
from unrolled.report.tables import Cell, Row, Table

TABLE = Table(
    ("model", "bits & bytes"),
    [
        Row("my_model|1", [Cell("2.1", is_best=True)], small="hardly\ntrained"),
        Row("[xz]", [Cell("2.9", "±0.1")], kind="baseline"),
        Row("uniform", [Cell("")]),
    ],
)


def test_csv_has_all_digits_and_empty_cells():
    rows = [
        {"name": 'a, "b"\nc', "bits": 0.1 + 0.2, "is_best": True},
        {"name": "d", "bits": math.inf, "is_best": None},
    ]
    text = csv_text(rows)
    assert text == 'name,bits,is_best\n"a, ""b""\nc",0.30000000000000004,True\nd,,\n'
    read = list(csv.DictReader(io.StringIO(text)))
    assert read[0]["name"] == rows[0]["name"] and float(read[0]["bits"]) == rows[0]["bits"]


def test_markdown_is_a_table_with_the_best_in_bold():
    assert markdown(TABLE).splitlines() == [
        r"| model | bits \& bytes |",
        "| :-- | --: |",
        r"| my\_model\|1 (hardly trained) | **2.1** |",
        r"| \[xz\] | 2.9 (±0.1) |",
        "| uniform |  |",
    ]


def test_latex_is_a_tabular_of_booktabs():
    assert latex(TABLE, "a\nb").splitlines() == [
        r"% a b. Needs \usepackage{booktabs}.",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"model & bits \& bytes \\",
        r"\midrule",
        r"my\_model\textbar{}1 (hardly trained) & \textbf{2.1} \\",
        r"{[}xz{]} & 2.9 ($\pm$0.1) \\",
        r"uniform &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize("write", [markdown, lambda table: latex(table, "\r%")])
def test_no_character_of_a_name_breaks_the_table(write):
    every = "".join(map(chr, range(0x180))) + "\u2028–−±×†中"
    hostile = Table(("a", every), [Row(every, [Cell(every, every, True)], small=every)])
    harmless = Table(("a", "b"), [Row("c", [Cell("d", "e", True)], small="f")])
    assert len(write(hostile).splitlines()) == len(write(harmless).splitlines())


def test_latex_leaves_no_sign_with_a_meaning():
    signs = "".join(map(chr, range(0x20, 0x7F)))
    line = latex(Table((signs, "b"), []), "").splitlines()[3]
    text = line.removesuffix(r" & b \\")
    known = r"\\[&%$#_{}]|\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\{[\[\]*]\}"
    plain = re.sub(known, "", text)
    assert not set(plain) & set("&%$#_{}\\~^[]*")
    assert len(re.findall(known, text)) == len(set("&%$#_{}\\~^[]*<>|"))
