"""Runs → one comparison: what is known of each model, the best first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import mean, stdev

from ..report.format import is_known, rank_order
from ..results.comparison import ComparedModel, Comparison, CurvePoint
from ..results.events import End, Validation
from ..runs.folder import CONFIG, RunConfig, load_config, read_log
from ..settings.models import flat_settings
from ..settings.training import Budget
from ..text.files import title_of
from ..training.learning_rate import FEWEST_UPDATES
from .recommendation import disturbance, recommend
from .request import CompareRequest
from .uncertainty import Trained, difference, seed_spread


def collect(
    out: Path,
    request: CompareRequest,
    share: Budget | None = None,
    cut_short: float | None = None,
) -> Comparison:
    """Reads runs into one comparison, ranked by bits per byte.

    Args:
        share: Of the budget, for each network.
        cut_short: None: all runs are finished, the figures are of the final split. Else the part
            of its share that each network had: the figures are those of the last validations.
    """
    if cut_short is None:
        seeds = {kind: _seeds(out, kind, request.num_seeds) for kind in request.kinds}
    else:
        seeds = {kind: [c] for kind in request.kinds if (c := _begun(out / kind)) is not None}
    models = [_compared(out, kind, seeds[kind], cut_short is not None) for kind in seeds]
    models.sort(key=rank_order)
    results = next((each[0].results for each in seeds.values() if each[0].results), None)
    if cut_short is None:
        models = _with_differences(models, seeds)
    rows = results.baselines if results is not None and cut_short is None else []
    if "ngram" in request.kinds:  # stands in the table itself
        rows = [row for row in rows if not row.name.endswith("-gram")]
    split = results.split if results is not None and cut_short is None else "valid"
    return Comparison(
        title=title_of(request.train.data.texts),
        conditions=_conditions(request, [each[0] for each in seeds.values()], split, share),
        split=split,
        baselines=rows,
        models=models,
        recommendation=recommend(models)[: None if cut_short is None else 1],
        disturbance=disturbance(models),
        budget=request.train.budget,
        share=share,
        cut_short=cut_short,
    )


def _begun(run: Path) -> RunConfig | None:
    """What is known of a run, once there is something."""
    return load_config(run) if (run / CONFIG).is_file() else None


def _seeds(out: Path, kind: str, num_seeds: int) -> list[RunConfig]:
    others = range(1, 1 if kind == "ngram" else num_seeds)
    return [load_config(out / kind), *(load_config(out / f"{kind}-seed{n}") for n in others)]


def _with_differences(
    models: Sequence[ComparedModel], seeds: dict[str, list[RunConfig]]
) -> list[ComparedModel]:
    """The same models, each with its difference to the best; those not ranked without."""
    trained = {
        name: Trained([each.results for each in configs if each.results], name != "ngram")
        for name, configs in seeds.items()
    }
    ranked = [
        model.name for model in models if model.doubt is None and is_known(model.bits_per_byte)
    ]
    if not ranked:
        return list(models)
    best, spread = trained[ranked[0]], seed_spread([trained[name] for name in ranked])
    behind = {name: difference(trained[name], best, spread) for name in ranked[1:]}
    return [replace(model, behind=behind.get(model.name)) for model in models]


def _compared(
    out: Path, kind: str, seeds: Sequence[RunConfig], is_cut_short: bool
) -> ComparedModel:
    """One row: the run of the first seed, with the mean and spread of all."""
    config, curve = seeds[0], _curve(out / kind)
    results, measured = config.results, config.measured
    settings = flat_settings(config.model) | (config.train.to_json() if config.train else {})
    model = ComparedModel(
        name=kind,
        run=str(out / kind),
        bits_per_byte=min((p.valid for p in curve if p.valid is not None), default=None),
        learning_rate=config.train.learning_rate if config.train else None,
        tried_learning_rates=config.tried_learning_rates,
        settings=settings,
        curve=curve,
    )
    if results is None or measured is None or is_cut_short:
        return model
    all_results = [each.results for each in seeds if each.results is not None]
    bits = [each.bits_per_byte for each in all_results]
    return replace(
        model,
        bits_per_byte=mean(bits),
        spread=stdev(bits) if len(bits) > 1 else None,
        seeds=bits,
        perplexity=results.perplexity,
        perplexity_per_word=results.perplexity_per_word,
        closed_vocabulary=results.closed_vocabulary,
        num_parameters=results.num_parameters,
        train_tokens_per_second=results.train_tokens_per_second,
        score_tokens_per_second=measured.score_tokens_per_second,
        generate_tokens_per_second=measured.generate_tokens_per_second,
        peak_bytes=results.peak_bytes,
        file_bytes=results.file_bytes,
        train_seconds=results.train_seconds,
        notes=results.notes,
        loss_by_position=measured.loss_by_position,
        samples=measured.samples,
        num_updates=results.train_steps,
        doubt=next((each.doubt for each in all_results if each.doubt), None),
        others_share=results.others_share,
    )


def _curve(run: Path) -> list[CurvePoint]:
    points = []
    for event in read_log(run):
        if isinstance(event, Validation | End):
            train = event.train if isinstance(event, Validation) else None
            points.append(CurvePoint(event.seconds, event.tokens, train, event.valid))
    return points


def _conditions(
    request: CompareRequest, configs: Sequence[RunConfig], split: str, share: Budget | None
) -> dict[str, str | float]:
    if not configs:
        return {}
    config, budget = configs[0], request.train.budget
    networks = [each.train for each in configs if each.train is not None]
    each = "" if share is None or share == budget else f"{share.amount:,.0f} {share.unit}"
    results = config.results
    scored = split
    if results is not None and split == results.split:
        scored += f": {results.num_bytes:,} bytes, {results.num_tokens:,} tokens"
    return {
        "text": ", ".join(config.data.texts),
        "data hash": config.data_hash[:16],
        "scored": scored,
        "tokenizer": f"{config.tokenizer.kind}, {config.vocab_size:,} symbols",
        "budget": f"{budget}, {each} per network" if each else f"{budget} per network",
        "learning rates": "three tried per network, in 15 % of its budget, where that is enough "
        f"for {FEWEST_UPDATES} updates each",
        "seeds": request.num_seeds,
        "precision": ", ".join(sorted({train.precision for train in networks})) or "float64",
        "threads": max((train.threads for train in networks), default=1),
        "machine": config.machine,
        "versions": ", ".join(f"{name} {value}" for name, value in config.versions.items()),
        "date": date.today().isoformat(),
    }
