"""Training: two sets of texts become a fastText model, its description and what it gets right."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

import dataprep
from dataprep import artifacts, storage
from dataprep.classifier.evaluation import Evaluation, evaluate
from dataprep.classifier.examples import Counts, Examples, collect_examples
from dataprep.classifier.fasttext_format import write_as_fasttext
from dataprep.classifier.texts import InputFile, list_inputs, read_texts
from dataprep.errors import BuildError, ConfigError, MissingExtraError, SourceError
from dataprep.model_files import MAX_CHARS
from dataprep.signals.quality import DESCRIPTION_KIND, description_path, load_fasttext
from dataprep.text.single_line import LABEL_PREFIX
from dataprep.yaml_models import Frozen

POSITIVE, NEGATIVE = "positive", "negative"
"""The labels of the two classes."""
FORMAT_VERSION = 1


class TrainingOptions(Frozen):
    """How a classifier is trained; defaults are fastText's where nothing is said."""

    text_column: tuple[str, ...] = Field(default=("text", "content"), min_length=1)
    """Columns or keys of the texts in Parquet and JSON lines: the first that a file has."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the distinct texts that are judged and not trained on."""
    seed: int = Field(default=1, ge=0, lt=1 << 31)
    """Of the split, of the order and of fastText."""
    epochs: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    dim: int = Field(default=100, ge=1)
    """Numbers in the vector of a word."""
    word_ngrams: int = Field(default=2, ge=1, le=10)
    """Longest run of words with a vector of its own. DCLM (Li et al. 2024) found 2 better than 1."""
    min_count: int = Field(default=1, ge=1)
    """Rarer words are not learned."""
    buckets: int = Field(default=200_000, ge=1)
    """Vectors that runs of words share: buckets * dim * 4 bytes, most of the model. fastText has 2,000,000,
    which every worker process would hold in 800 MB."""
    lower_case: bool = False
    """Whether texts are learned, and must be judged, in lower case."""
    max_chars: int = Field(default=MAX_CHARS, ge=1)
    """Characters of a text that are learned, from its begin."""


@dataclass(frozen=True)
class TrainedClassifier:
    """A model that was written, and how good it is."""

    path: str
    size_bytes: int
    sha256: str
    positive: Counts
    negative: Counts
    evaluation: Evaluation
    description: dict[str, Any] = field(repr=False)
    """What lies beside the model as sealed JSON."""


def train_classifier(
    positive: Sequence[str], negative: Sequence[str], output: str, options: TrainingOptions
) -> TrainedClassifier:
    """Train on two sets of files; write ``output`` and ``output + '.json'``.

    One thread trains, so that the same texts give the same bytes. Texts lie in a temporary folder
    meanwhile (``TMPDIR``).

    Args:
        positive: paths or globs of wanted texts, see ``read_texts``.
        negative: paths or globs of other texts.
        output: path or URL of the model.
        options: how it is trained.

    Raises:
        SourceError: nothing matches, a file cannot be read as texts, or one file is in both sets.
        ConfigError: a class has too few distinct texts.
        MissingExtraError: what trains fastText models is not installed.
        BuildError: training failed.
    """
    trainer = _trainer()
    inputs = {
        POSITIVE: list_inputs(positive, option="--positive"),
        NEGATIVE: list_inputs(negative, option="--negative"),
    }
    _check_apart(inputs)
    with tempfile.TemporaryDirectory(prefix="dataprep-classifier-") as folder:
        examples = collect_examples(
            _texts(inputs[POSITIVE], options.text_column),
            _texts(inputs[NEGATIVE], options.text_column),
            folder=folder,
            held_out=options.held_out,
            seed=options.seed,
            max_chars=options.max_chars,
            lower_case=options.lower_case,
        )
        _check_enough(examples)
        local = _train(trainer, examples, folder, options)
        evaluation = _evaluated(local, examples)
        with open(local, "rb") as source, storage.atomic_output(output) as sink:
            while piece := source.read(16 << 20):
                sink.write(piece)
        size_bytes, digest = os.path.getsize(local), storage.sha256_of(local)
    description = _description(inputs, examples, evaluation, options, size_bytes, digest)
    artifacts.write_sealed_json(description_path(output), description)
    return TrainedClassifier(output, size_bytes, digest, *examples.counts, evaluation, description)


def _trainer() -> Any:
    try:
        import floret
    except ImportError as error:
        raise MissingExtraError(
            module="floret", extra="classifier", purpose="training a classifier"
        ) from error
    return floret


def _check_apart(inputs: dict[str, tuple[InputFile, ...]]) -> None:
    digests = {file.sha256: file for file in inputs[POSITIVE]}
    for file in inputs[NEGATIVE]:
        twin = digests.get(file.sha256)
        if twin is not None:
            same = "is in both sets" if twin.path == file.path else f"has the same content as {twin.path}"
            raise SourceError(
                f"--negative: {file.path} {same}: a text cannot be wanted and unwanted at once, give each "
                "set files of its own"
            )


def _texts(files: Sequence[InputFile], columns: Sequence[str]) -> Iterator[str | None]:
    for file in files:
        yield from read_texts(file, columns=columns)


def _check_enough(examples: Examples) -> None:
    for name, counts in zip((POSITIVE, NEGATIVE), examples.counts, strict=True):
        if not counts.train or not counts.held_out:
            raise ConfigError(
                f"--{name}: {counts.train} distinct texts to train on and {counts.held_out} held out, at "
                f"least one of each is needed; of {counts.texts:,} rows {counts.null:,} have no text, "
                f"{counts.empty:,} are empty, {counts.copies:,} repeat another, {counts.in_both:,} are in "
                "the other set too: give more texts, or another --held-out"
            )


def _train(trainer: Any, examples: Examples, folder: str, options: TrainingOptions) -> str:
    """Train on the examples' lines; return the local path of the model in fastText's format."""
    lines, trained, model = (os.path.join(folder, name) for name in ("train.txt", "floret.bin", "model.bin"))
    heads = {True: f"{LABEL_PREFIX}{POSITIVE} ".encode(), False: f"{LABEL_PREFIX}{NEGATIVE} ".encode()}
    with open(lines, "wb") as sink:
        for is_positive, line in examples.train():
            sink.write(heads[is_positive] + line + b"\n")
    try:
        trainer.train_supervised(
            input=lines,
            mode="fasttext",
            hashCount=1,
            thread=1,
            verbose=0,
            seed=options.seed,
            epoch=options.epochs,
            lr=options.learning_rate,
            dim=options.dim,
            wordNgrams=options.word_ngrams,
            minCount=options.min_count,
            bucket=options.buckets,
        ).save_model(trained)
        with open(trained, "rb") as source, open(model, "wb") as sink:
            write_as_fasttext(source, sink)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise BuildError(
            f"training failed ({error}): a lower --learning-rate helps against NaN, fewer --buckets or a "
            "smaller --dim where memory is short"
        ) from error
    return model


def _evaluated(model: str, examples: Examples) -> Evaluation:
    """Judge the held-out lines in the way in which documents are judged."""
    loaded = load_fasttext(model, storage.sha256_of(model))
    scores: dict[bool, list[float]] = {True: [], False: []}
    for is_positive, line in examples.held_out():
        scores[is_positive].append(loaded.probability(POSITIVE, line.decode("utf-8")))
    columns: list[npt.NDArray[np.float32]] = [np.array(scores[kind], np.float32) for kind in (True, False)]
    return evaluate(*columns)


def _description(
    inputs: dict[str, tuple[InputFile, ...]],
    examples: Examples,
    evaluation: Evaluation,
    options: TrainingOptions,
    size_bytes: int,
    digest: str,
) -> dict[str, Any]:
    return {
        "kind": DESCRIPTION_KIND,
        "format_version": FORMAT_VERSION,
        "model": {"size_bytes": size_bytes, "sha256": digest, "labels": [POSITIVE, NEGATIVE]},
        "preparation": {
            "text": "one line: lines joined by a space, label and end-of-line words broken",
            "lower_case": options.lower_case,
            "max_chars": options.max_chars,
        },
        "options": options.model_dump(mode="json"),
        "inputs": {
            name: [
                {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in files
            ]
            for name, files in inputs.items()
        },
        "counts": {
            name: asdict(counts) for name, counts in zip((POSITIVE, NEGATIVE), examples.counts, strict=True)
        },
        "held_out": [row.to_json() for row in evaluation.rows],
        "versions": {
            "dataprep": dataprep.__version__,
            "python": platform.python_version(),
            **artifacts.package_versions("floret"),
        },
    }
