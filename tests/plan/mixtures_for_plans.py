"""Mixtures and sizes for the tests of plans: written short, and random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from dataprep.mixture import ALL, HOLDOUT, LONG, SHORT, Mixture
from dataprep.plan import StreamSize

Sizes = dict[tuple[str, str], StreamSize]


def stage(name: str, sources: dict[str, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    """A stage as the YAML file has it; 16 tokens a row unless said otherwise."""
    return {"name": name, "sequence_length": 16, "sources": sources, **settings}


def mixture(*stages: dict[str, Any], **settings: Any) -> Mixture:
    """A mixture with a corpus of its own for every source that its stages name."""
    names = dict.fromkeys(name for one in stages for name in one["sources"])
    return Mixture.model_validate(
        {
            "name": "small",
            "tokenizer": "neox",
            "sources": {name: {"from": name, "subsets": "all"} for name in names},
            "stages": list(stages),
            **settings,
        }
    )


def sizes(**tokens: int | tuple[int, int]) -> Sizes:
    """Sizes of sources: tokens, or (short, long) for one with two classes."""
    found: Sizes = {}
    for name, value in tokens.items():
        if isinstance(value, tuple):
            found[name, SHORT], found[name, LONG] = (StreamSize(part, part // 10) for part in value)
        else:
            found[name, ALL] = StreamSize(value, value // 10)
    return found


@st.composite
def random_case(draw: st.DrawFn, *, packing: str = "concat") -> tuple[Mixture, Sizes]:
    """A random mixture of up to three stages, and sizes that may or may not be enough for it."""
    names = [f"s{i}" for i in range(draw(st.integers(1, 6)))]
    split = draw(st.sets(st.sampled_from(names)))
    stages = []
    for number in range(draw(st.integers(1, 3))):
        chosen = names if number == 0 else sorted(draw(st.sets(st.sampled_from(names), min_size=1)))
        sources: dict[str, dict[str, Any]] = {}
        for name in chosen:
            kind = draw(st.sampled_from(["weight", "weight", "epochs", "tokens"]))
            amount: float | int = (
                draw(st.integers(20, 4000))
                if kind == "tokens"
                else draw(st.sampled_from([0.1, 0.25, 0.5, 1, 1.7, 2, 3]))
            )
            sources[name] = {kind: amount}
        settings: dict[str, Any] = {"packing": packing, "sequence_length": draw(st.sampled_from([8, 16, 37]))}
        if any("weight" in source for source in sources.values()):
            settings["tokens"] = draw(st.integers(40_000, 90_000))
        if split & set(chosen):
            rule = {"min_tokens": 64, "factor": draw(st.sampled_from([1, 1.5, 3]))}
            settings["upsample_long"] = {**rule, "sources": sorted(split & set(chosen))}
        stages.append(stage(f"stage{number}", sources, **settings))
    chosen_mixture = mixture(*stages, max_epochs=255, seed=draw(st.integers(0, 99)))
    found: Sizes = {}
    for name in names:
        for length_class in chosen_mixture.classes(name):
            found[name, length_class] = StreamSize(draw(st.integers(600, 3000)), 9)
        found[name, HOLDOUT] = StreamSize(draw(st.integers(0, 200)), 3)
    return chosen_mixture, found
