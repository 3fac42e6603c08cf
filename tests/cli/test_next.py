"""`unrolled next`, in this process."""

import unrolled


def test_next_shows_tokens_and_words_of_a_chinese_prefix(run, runs):
    opened = unrolled.load(runs / "zh")
    tokens = unrolled.next_tokens(opened.model, opened.tokenizer, "我爱吃", 2, opened.boundaries)
    table = run("next", "zh", "我爱吃", "-k", 2)
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in table.splitlines()[3:-1]]
    assert [row[0] for row in rows] == [token.text for token in tokens]
    assert [row[1] for row in rows] == [f"{token.probability:.2%}" for token in tokens]
    assert {row[2] for row in rows} == {"苹", "米"}


def test_next_of_words_that_look_like_markup(run):
    table = run("next", "char", "It was [bold]", "-k", 3)
    assert len(table.splitlines()) == 7
    assert "␣" in table


def test_next_needs_something_to_show(refused):
    assert refused("next", "char", "It", "-k", 0) == (
        "error: k must be 1 or more, got 0. Use for example 10.\n"
    )
