"""fastText models that name a text's language: read from their files, and applied to whole batches."""

from __future__ import annotations

from dataprep.fasttext_model.model import PREDICTION_KERNELS, FastTextModel, load_model

__all__ = ["PREDICTION_KERNELS", "FastTextModel", "load_model"]
