"""Results print as a title and a table, whatever stands in them."""

import math
from dataclasses import replace

from tests.report.classifications import fake_classification
from tests.report.comparisons import fake_comparison
from tests.report.diagnoses import fake_diagnosis
from unrolled.results.comparison import Comparison
from unrolled.results.diagnosis import Diagnosis
from unrolled.results.loss import Baseline, Evaluation
from unrolled.results.summary import MAX_ROWS, Summary


def test_columns_are_aligned_and_figures_have_separators():
    summary = Summary("A title", ("model", "bits"), [("gru", 1.23456), ("a-lstm", 12_345)])
    assert summary.text() == "A title\nmodel     bits\ngru      1.235\na-lstm  12,345"


def test_missing_figures_are_dashes_and_a_summary_may_be_a_title_only():
    rows = [("a", None, math.nan), ("b", math.inf, 0.0)]
    assert Summary("", ("", "x", "y"), rows).text().splitlines()[2:] == [
        "a  –      –",
        "b  –  0.000",
    ]
    assert Summary("Not finished").text() == "Not finished"
    assert Summary("Not finished").html() == "<p>Not finished</p>"


def test_html_escapes_names_and_titles():
    page = Summary("<script>", ("a & b",), [("<img>",)]).html()
    assert "<p>&lt;script&gt;</p>" in page
    assert "<th>a &amp; b</th>" in page
    assert "<td>&lt;img&gt;</td>" in page


def test_long_tables_are_cut_and_say_so():
    summary = Summary("", ("n",), [(n,) for n in range(MAX_ROWS + 1_000)])
    assert summary.text().endswith(f"{MAX_ROWS - 1}\n... and 1,000 more rows")
    assert summary.html().endswith("</table><p>... and 1,000 more rows</p>")


def test_a_comparison_prints_every_model_with_its_figure():
    comparison = Comparison.from_json(fake_comparison())
    for shown in (repr(comparison), comparison._repr_html_()):
        for model in comparison.models:
            assert model.name in shown
        assert f"{comparison.models[0].bits_per_byte:.3f}" in shown
        assert comparison.title in shown
        assert comparison.recommendation[0].purpose in shown
    assert len(repr(comparison)) < 1_500


def test_a_diagnosis_prints_its_verdict_and_what_each_layer_keeps():
    diagnosis = Diagnosis.from_json(fake_diagnosis())
    for shown in (repr(diagnosis), diagnosis._repr_html_()):
        assert f"gradients {diagnosis.verdict.kind}" in shown
        assert f"context that {diagnosis.memory[0].name} uses" in shown
        assert f"layer {diagnosis.flows[0].layer}, {diagnosis.flows[0].path} path" in shown
        assert "2.96 to 3.94" in shown and "78.1 to 128" in shown
    assert len(repr(diagnosis)) < 2_400


def test_a_classification_prints_its_models_and_which_one_predicts():
    result = fake_classification()
    assert f"{result.chosen_model} predicts" in repr(result)
    for name, figures in result.models.items():
        assert name in repr(result)
        assert f"<td>{figures.accuracy:.3f}</td>" in result._repr_html_()


def test_an_evaluation_prints_its_cost_with_the_baselines_below():
    loss = {"loss_nats": math.log(2) * 8, "num_tokens": 4, "num_bytes": 4, "num_chars": 4}
    result = Evaluation(**loss, num_words=2, baselines=[Baseline("xz", 2.5)])
    lines = repr(result).splitlines()
    assert lines[0] == "4 tokens, 4 bytes"
    assert lines[2].split() == ["model", "2.000", "2.000", "4.000", "16.000"]
    assert lines[3].split() == ["xz", "2.500", "–", "–", "–"]
    assert "xz" not in repr(replace(result, baselines=[]))
