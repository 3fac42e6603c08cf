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
    from ..errors import ConfigError
    from ..models.ngram import NgramModel
    from ..ngram.arpa import write_arpa
    from ..runs.folder import load

    opened = load(run)
    if not isinstance(opened.model, NgramModel):
        kind = opened.config.model.kind
        raise ConfigError("run", "that of an n-gram", kind, "Train one with: --model ngram")
    names = [opened.tokenizer.symbol(token) for token in range(opened.model.vocab_size)]
    write_arpa(opened.model.kneser_ney, file, names)
    print(f"Wrote {file}, {file.stat().st_size:,} bytes.")
    return 0
