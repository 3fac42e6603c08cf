"""Results as text."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def print_results(run: Path, config: dict[str, Any]) -> None:
    """Prints what a training reached, with the baselines beside it."""
    results = config["results"]
    print_losses(config["model"]["kind"], results, results["baselines"], results["split"])
    for note in results.get("notes", ()):
        print(f"Note: {note}")
    print(f"Trained for {results['train_seconds']:.0f} s. Use it: unrolled generate {run}")


def print_losses(
    name: str, loss: dict[str, Any], baselines: list[dict[str, Any]], split: str
) -> None:
    """Prints one model's cost of a text between the baselines, best first."""
    table = Table(title=f"{split}: {loss['num_tokens']:,} tokens, {loss['num_bytes']:,} bytes")
    table.add_column("model")
    for heading in ("bits/byte", "bits/char", "perplexity/token", "perplexity/word"):
        table.add_column(heading, justify="right")
    rows = [
        (row["bits_per_byte"], (row["name"], f"{row['bits_per_byte']:.3f}")) for row in baselines
    ]
    word = loss["perplexity_per_word"]
    closed = " (closed vocabulary)" if loss["closed_vocabulary"] else ""
    rows.append(
        (
            loss["bits_per_byte"],
            (
                f"[bold]{name}[/bold]",
                f"{loss['bits_per_byte']:.3f}",
                f"{loss['bits_per_char']:.3f}",
                f"{loss['perplexity']:.2f}{closed}",
                "-" if word is None else f"{word:.2f}",
            ),
        )
    )
    for _, cells in sorted(rows):
        table.add_row(*cells)
    Console().print(table)
