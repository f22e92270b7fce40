"""One threshold on one signal, and how a list of them becomes a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import model_validator

from dataprep.documents import KEEP
from dataprep.errors import ConfigError, nearest
from dataprep.yaml_models import Frozen


class Rule(Frozen):
    """A document passes when its signal lies within the limits; a NaN signal passes.

    ``minimum`` and ``maximum`` are still allowed (equality keeps, as in all peers), ``above`` and
    ``below`` are not.
    """

    kind: Literal["rule"] = "rule"
    signal: str
    reason: str
    """The verdict of a document that does not pass: stable, a counter and a column value."""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Rule:
        if all(limit is None for limit in (self.minimum, self.maximum, self.above, self.below)):
            raise ValueError(f"rule {self.reason!r} has no limit: give minimum, maximum, above or below")
        return self

    def rules(self) -> tuple[Rule, ...]:
        """Return the rule itself: a rule is the smallest filter."""
        return (self,)

    def fails(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Return bool[num_documents]: which documents do not pass.

        Limits are rounded to float32 like the signals, so that a ratio that equals a limit does so
        after storage too.
        """
        failed = np.zeros(len(values), np.bool_)
        if self.minimum is not None:
            failed |= values < np.float32(self.minimum)
        if self.maximum is not None:
            failed |= values > np.float32(self.maximum)
        if self.above is not None:
            failed |= values <= np.float32(self.above)
        if self.below is not None:
            failed |= values >= np.float32(self.below)
        return failed


def limits(*candidates: tuple[str, str, float | None, float | None]) -> tuple[Rule, ...]:
    """Return the rules (signal, reason, minimum, maximum) that have a limit."""
    return tuple(
        Rule(signal=signal, reason=reason, minimum=minimum, maximum=maximum)
        for signal, reason, minimum, maximum in candidates
        if minimum is not None or maximum is not None
    )


def verdicts(
    rules: Sequence[Rule],
    signals: Mapping[str, npt.NDArray[np.float32]],
    *,
    prior: pa.Array,
) -> pa.DictionaryArray:
    """Return ``keep`` or the reason of the first rule in order that a document fails.

    Args:
        signals: float32[num_documents] for every signal that a rule names.
        prior: Verdicts so far; one that is not ``keep`` stays.

    Raises:
        ConfigError: a rule names a signal that was not measured.
    """
    names = dict.fromkeys([KEEP, *(rule.reason for rule in rules)])
    codes = {name: code for code, name in enumerate(names)}
    verdict = np.zeros(len(prior), np.int32)
    for rule in rules:
        if rule.signal not in signals:
            raise ConfigError(
                f"rule {rule.reason!r} is about the signal {rule.signal!r}, which is not measured: "
                f"{nearest(rule.signal, signals)}; add its family to the preset"
            )
        failed = rule.fails(signals[rule.signal])
        verdict[failed & (verdict == 0)] = codes[rule.reason]
    return _with_prior(verdict, list(names), prior)


def _with_prior(verdict: npt.NDArray[np.int32], names: list[str], prior: pa.Array) -> pa.DictionaryArray:
    encoded = prior if pa.types.is_dictionary(prior.type) else prior.dictionary_encode()
    earlier = encoded.dictionary.to_pylist()
    places = np.array([names.index(name) if name in names else -1 for name in earlier], np.int32)
    for code, name in enumerate(earlier):
        if places[code] < 0:
            places[code] = len(names)
            names.append(name)
    before = places[encoded.indices.to_numpy(zero_copy_only=False)] if len(prior) else verdict
    final = np.where(before == 0, verdict, before).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(final), pa.array(names, pa.string()))
