"""One threshold on one signal, and how a list of them becomes a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

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
    unless: str | None = None
    """A signal that excuses: where it is 1 the rule does not apply; where it is 0 or NaN the rule does."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> Rule:
        if all(limit is None for limit in (self.minimum, self.maximum, self.above, self.below)):
            raise ValueError(f"rule {self.reason!r} has no limit: give minimum, maximum, above or below")
        return self

    @model_serializer(mode="wrap")
    def _without_no_excuse(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Dump a rule that nothing excuses from as before there were excuses: it means the same."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if name != "unless" or value is not None}

    def rules(self) -> tuple[Rule, ...]:
        """Return the rule itself: a rule is the smallest filter."""
        return (self,)

    def signals(self) -> tuple[str, ...]:
        """Return the names of the signals that the rule reads: its own, and the one that excuses."""
        return (self.signal,) if self.unless is None else (self.signal, self.unless)

    def fails(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Return bool[num_documents]: which documents lie outside the limits, whatever excuses them.

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


def limits(
    *candidates: tuple[str, str, float | None, float | None], unless: str | None = None
) -> tuple[Rule, ...]:
    """Return the rules (signal, reason, minimum, maximum) that have a limit; ``unless`` excuses from all."""
    return tuple(
        Rule(signal=signal, reason=reason, minimum=minimum, maximum=maximum, unless=unless)
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
        for name in rule.signals():
            if name not in signals:
                raise ConfigError(
                    f"rule {rule.reason!r} is about the signal {name!r}, which is not measured: "
                    f"{nearest(name, signals)}; add its family to the preset"
                )
        failed = rule.fails(signals[rule.signal])
        if rule.unless is not None:
            failed &= signals[rule.unless] != 1
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
