"""`unrolled export`: a run in a form that other programs read."""

from pathlib import Path


def export(run: Path, file: Path, /) -> int:
    """Write an n-gram as an ARPA file, for KenLM, SRILM and Kaldi.

    Example: unrolled export runs/ngram model.arpa.gz

    Parameters
    ----------
    run
        Run folder of an n-gram.
    file
        File to write; gzipped if its name ends in .gz.
    """
    from ..runs.folder import load

    load(run).write_arpa(file)
    print(f"Wrote {file}, {file.stat().st_size:,} bytes.")
    return 0
