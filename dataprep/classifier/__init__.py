"""Training of fastText classifiers that tell wanted texts from others.

::

    read_texts          plain lines, JSON lines, Parquet -> texts
    collect_examples    texts -> lines without copies, split and ordered by their content
    train_classifier    lines -> MODEL.bin and its description, judged on lines it has not seen

A model that was trained here is what ``quality:`` in a catalogue names.
"""

from dataprep.classifier.evaluation import Evaluation, ThresholdRow, evaluate
from dataprep.classifier.examples import Counts, Examples, collect_examples
from dataprep.classifier.texts import InputFile, list_inputs, read_texts
from dataprep.classifier.training import (
    NEGATIVE,
    POSITIVE,
    TrainedClassifier,
    TrainingOptions,
    train_classifier,
)

__all__ = [
    "NEGATIVE",
    "POSITIVE",
    "Counts",
    "Evaluation",
    "Examples",
    "InputFile",
    "ThresholdRow",
    "TrainedClassifier",
    "TrainingOptions",
    "collect_examples",
    "evaluate",
    "list_inputs",
    "read_texts",
    "train_classifier",
]
