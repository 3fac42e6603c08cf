"""Size of every report and the time to write it, in both languages.

    python benchmarks/reports.py [--out FOLDER]

Writes the pages of the tests' made-up results, each in a process of its own: what the import of the
page and of its libraries costs is in the second time. Seconds are those of the processor, which
other programs do not lengthen. Look at the pages in a browser: light, dark, narrow, and printed.
"""

import argparse
import importlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
LANGUAGES = ("en", "zh")
REPEATS = 5


def main() -> None:
    """Prints a line for each page; with a page and a file, writes that page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/reports"))
    parser.add_argument("--page", nargs=2, metavar=("PAGE", "LANGUAGE"), help="write this one")
    options = parser.parse_args()
    if options.page:
        page, language = options.page
        print(write(page, language, options.out))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    print("| page | language | kB | seconds, median of 5 | with imports |\n|---|---|---|---|---|")
    for page in PAGES:
        for language in LANGUAGES:
            print(f"| {page} | {language} | {measure(page, language, options.out)} |", flush=True)


def measure(page: str, language: str, out: Path) -> str:
    """Size and times of a page, written several times by new processes."""
    command = [sys.executable, __file__, "--out", str(out), "--page", page, language]
    runs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for _ in range(REPEATS)
    ]
    written, whole = zip(*(map(float, run.split()) for run in runs), strict=True)
    size = (out / f"{page}.{language}.html").stat().st_size / 1000
    return f"{size:,.0f} | {median(written):.2f} | {median(whole):.2f}"


def write(page: str, language: str, out: Path) -> str:
    """Writes a page; returns the seconds without and with the import of its module."""
    sys.path.insert(0, str(ROOT))
    result = PAGES[page]()
    began = time.process_time()
    module = importlib.import_module(f"unrolled.report.{page}")
    imported = time.process_time()
    text = "".join(module.html(*result, language))
    (out / f"{page}.{language}.html").write_text(text, "utf-8")
    ended = time.process_time()
    return f"{ended - imported} {ended - began}"


def comparison() -> tuple[Any, ...]:
    """Five models."""
    from tests.report.comparisons import fake_comparison

    from unrolled.results.comparison import Comparison

    return (Comparison.from_json(fake_comparison()),)


def classification() -> tuple[Any, ...]:
    """Three models, two classes."""
    from tests.report.classifications import fake_classification

    return (fake_classification(),)


def diagnosis() -> tuple[Any, ...]:
    """A network of two layers, with its remedies."""
    from tests.report.diagnoses import fake_diagnosis

    from unrolled.results.diagnosis import Diagnosis

    return (Diagnosis.from_json(fake_diagnosis()),)


def probes() -> tuple[Any, ...]:
    """Three tasks."""
    from tests.report.test_probes import TRIALS

    from unrolled.results.probes import Probes

    return (Probes.from_json({"settings": {"seed": 0}, "trials": TRIALS}),)


def heatmap() -> tuple[Any, ...]:
    """5,000 characters."""
    from tests.report.test_heatmap import score_of

    score = score_of("To be, or not to be: that is the question. 床前明月光。\n")
    return ([(1, score)] * 100, "a", "b")


def explained() -> tuple[Any, ...]:
    """A hundred texts."""
    from tests.report.test_explained import PARTS, explained

    return ("reviews.csv", [explained(PARTS)] * 100)


PAGES: dict[str, Callable[[], tuple[Any, ...]]] = {
    page.__name__: page
    for page in (comparison, classification, diagnosis, probes, heatmap, explained)
}

if __name__ == "__main__":
    main()
