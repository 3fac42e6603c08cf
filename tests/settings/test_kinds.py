"""One row per kind: what a new recurrence costs, counted."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

import unrolled
from unrolled.nn.build import build_layer
from unrolled.nn.layer import MatrixLayer
from unrolled.settings.kinds import GATE_SETTINGS, KINDS, MATRIX_SETTINGS, RECURRENT, kinds_with
from unrolled.settings.models import RecurrentConfig

OP = '''
from .scan import scan

def leaky(x, h, weight, a):
    """h_t = a * h_{t-1} + tanh(W x_t)."""
    inputs = (x.to(weight.dtype) @ weight.T).tanh()
    return scan(a.expand_as(inputs), inputs.to(h.dtype), h)
'''
LAYER = '''
class Leaky(Layer):
    """Parameters of one leaky layer: `weight (H, E)`, `a (H,)`."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size) / input_size**0.5)
        self.a = nn.Parameter(torch.full((hidden_size,), 0.9))

    def forward(self, x, h):
        return leaky(x, h, self.weight, self.a)
'''
ROW = '    Kind("leaky", "leaky RNN", "nobody", layer="leaky:Leaky"),\n'
PROGRAM = """
import os
import sys
if hasattr(os, "sched_setaffinity"):  # two threads of steps so small would wait for each other
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import unrolled
from unrolled.cli import main
assert unrolled.__file__.startswith(sys.argv[1])
text, out, short = sys.argv[2], sys.argv[1] + "/runs/", ["--budget", "300tokens"]
small = ["--hidden-size", "16", "--batch-size", "2", "--sequence-length", "16"]
small += ["--precision", "float32", "--threads", "1"]
for arguments in (
    ["train", text, "--model", "leaky", *small, *short, "--out", out + "train"],
    ["generate", out + "train", "--max-tokens", "5"],
    ["diagnose", out + "train", "--out", out + "diagnose", "--memory-seconds", "0.2"],
    ["compare", text, "--models", "leaky", "ngram", "--size", "small", *short]
    + ["--out", out + "compare"],
    ["probe", "--models", "leaky", "--tasks", "parity", "--lengths", "2", *short]
    + ["--parameters", "2000", "--out", out + "probe"],
    ["train", "--help"],
):
    assert main(arguments) == 0, arguments
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with one more recurrence: two new files and one row."""
    package = tmp_path / "unrolled"
    copytree(Path(unrolled.__file__).parent, package, ignore=ignore_patterns("__pycache__"))
    for library in files("unrolled.kernels").iterdir():  # elsewhere in an editable installation
        if library.name.startswith("unrolled_kernels."):
            copy(str(library), package / "kernels")
    (package / "ops" / "leaky.py").write_text(OP)
    imports = "import torch\nfrom torch import nn\n\nfrom ..ops.leaky import leaky\n"
    (package / "nn" / "leaky.py").write_text(f"{imports}from .layer import Layer\n{LAYER}")
    table = package / "settings" / "kinds.py"
    head, tail = table.read_text("utf-8").split(")\nKINDS = ")
    table.write_text(f"{head}{ROW})\nKINDS = {tail}", "utf-8")
    return package


def test_a_new_recurrence_costs_its_files_and_one_row(package, english, tmp_path):
    """It is trained, compared, diagnosed and probed by a copy with no edit anywhere else."""
    text = tmp_path / "text.txt"
    text.write_text(Path(english).read_text("utf-8")[:8000], "utf-8")
    # Not the environment's own Python: that would find the installed package first.
    python = getattr(sys, "_base_executable", sys.executable)
    places = [str(tmp_path), *(path for path in sys.path if "site-packages" in path)]
    done = subprocess.run(
        [python, "-c", PROGRAM, str(tmp_path), str(text)],
        env={"PYTHONPATH": ":".join(places), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "[choices: ngram, rnn, gru, lstm, mingru, transformer, leaky]" in " ".join(
        done.stdout.replace("│", " ").split()
    )
    runs = tmp_path / "runs"
    assert "leaky" in (runs / "diagnose" / "report.html").read_text("utf-8")
    assert '"kind": "leaky"' in (runs / "compare" / "leaky" / "config.json").read_text("utf-8")
    assert '"leaky"' in (runs / "probe" / "results.json").read_text("utf-8")


@pytest.mark.parametrize("name", RECURRENT)
def test_rows_say_what_the_layers_are(name):
    kind = KINDS[name]
    layer = build_layer(RecurrentConfig(name, hidden_size=6), 4)
    assert kind.gated == (layer.keep_gate is not None)
    has_matrix = isinstance(layer, MatrixLayer)
    assert all((setting in kind.uses) == has_matrix for setting in MATRIX_SETTINGS)
    assert all((setting in kind.uses) == kind.gated for setting in GATE_SETTINGS)
    assert ("nonlinearity" in kind.uses) == hasattr(layer, "nonlinearity")
    assert len(layer.matrices) == (len(layer.weight_hh) // 6 if has_matrix else 0)


def test_help_names_the_kinds_that_have_a_use_for_a_setting():
    assert kinds_with("zoneout") == "rnn, gru, lstm"
    assert kinds_with("gate_init") == "gru, lstm, mingru"
    assert kinds_with("nonlinearity") == "rnn"
