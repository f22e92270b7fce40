"""The command ``dataprep train-classifier``: from its arguments to what it prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dataprep.text_table import aligned
from pipelines.arguments import add_command, natural, positive

if TYPE_CHECKING:
    from dataprep.classifier import TrainedClassifier


def add_train_classifier(commands: Any) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "train-classifier",
        _train_classifier,
        "train a fastText model that tells wanted texts from others",
        "dataprep train-classifier --positive 'good/*.jsonl' --negative 'crawl/*.parquet' --output good.bin",
    )
    parser.add_argument(
        "--positive",
        required=True,
        nargs="+",
        metavar="GLOB",
        help="wanted texts: .txt (one a line), .jsonl, .parquet, local or remote; .gz, .zst, .xz",
    )
    parser.add_argument("--negative", required=True, nargs="+", metavar="GLOB", help="other texts, likewise")
    parser.add_argument(
        "--output", required=True, metavar="MODEL.bin", help="the model; .json lies beside it"
    )
    parser.add_argument(
        "--text-column",
        nargs="+",
        metavar="NAME",
        help="column or key of the texts, the first that is there (default: text, content)",
    )
    parser.add_argument(
        "--held-out",
        type=_share,
        metavar="SHARE",
        help="share of the texts that is judged and not trained on (default: 0.1)",
    )
    parser.add_argument("--seed", type=natural, metavar="N", help="of split, order and training (default: 1)")
    parser.add_argument("--epochs", type=positive, metavar="N", help="passes over the texts (default: 5)")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="fastText's (default: 0.1)")
    parser.add_argument("--dim", type=positive, metavar="N", help="size of word vectors (default: 100)")
    parser.add_argument(
        "--word-ngrams", type=positive, metavar="N", help="longest run of words that is learned (default: 2)"
    )
    parser.add_argument("--min-count", type=positive, metavar="N", help="rarer words are not learned (1)")
    parser.add_argument(
        "--buckets", type=positive, metavar="N", help="vectors shared by runs of words (default: 200,000)"
    )
    parser.add_argument(
        "--max-chars", type=positive, metavar="N", help="characters of a text that count (default: 100,000)"
    )
    parser.add_argument("--lower-case", action="store_true", help="learn, and later judge, in lower case")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _share(text: str) -> float:
    """Read a share between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be more than 0 and less than 1, got {text}")
    return value


def _train_classifier(options: argparse.Namespace) -> int:
    from dataprep import storage
    from dataprep.classifier import TrainingOptions, train_classifier
    from dataprep.yaml_models import validated

    given = {name: getattr(options, name) for name in TrainingOptions.model_fields}
    chosen = validated(
        TrainingOptions, {name: value for name, value in given.items() if value is not None}, place="options"
    )
    trained = train_classifier(options.positive, options.negative, options.output, chosen)
    if options.json:
        print(storage.json_bytes(trained.description).decode("utf-8"), end="")
    else:
        print(report(trained, lower_case=chosen.lower_case))
    return 0


def report(trained: TrainedClassifier, *, lower_case: bool) -> str:
    """Return what was learned from, how good the model is, and how it is used."""
    counts: list[tuple[str, ...]] = [
        ("", "rows", "no text", "empty", "copies", "in both", "trained on", "held out")
    ]
    for name, one in (("positive", trained.positive), ("negative", trained.negative)):
        numbers = (one.texts, one.null, one.empty, one.copies, one.in_both, one.train, one.held_out)
        counts.append((name, *(f"{number:,}" for number in numbers)))
    at = trained.evaluation.decision
    table: list[tuple[str, ...]] = [
        ("threshold", "precision", "recall", "F1", "positive kept", "negative kept")
    ]
    table += [
        (
            f"{row.threshold:.2f}",
            f"{row.precision:.4f}",
            f"{row.recall:.4f}",
            f"{row.f1:.4f}",
            f"{row.true_positives:,} of {row.positives:,}",
            f"{row.false_positives:,} of {row.negatives:,}",
        )
        for row in trained.evaluation.rows
    ]
    usage = f"quality: {{model: {trained.path}, label: positive, threshold: {at.threshold}" + (
        ", lower_case: true}" if lower_case else "}"
    )
    shares = f"precision {at.precision:.4f}, recall {at.recall:.4f}, F1 {at.f1:.4f}"
    files = (
        f"{trained.path}: {trained.size_bytes / 1e6:,.1f} MB, sha256 {trained.sha256}",
        f"{trained.path}.json: inputs, counts, options and results",
    )
    return "\n\n".join(
        [
            "\n".join(files),
            aligned(counts),
            f"held-out texts at {at.threshold}: {shares}",
            aligned(table),
            f"in a catalogue entry:\n  {usage}",
        ]
    )
