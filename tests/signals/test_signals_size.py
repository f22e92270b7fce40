"""Characters of a text, all and visible."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataprep.signals import SizeSignals, measure


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",)))), max_size=6))
def test_counts_characters(texts: list[str | None]) -> None:
    signals = measure([SizeSignals()], pa.array(texts, pa.large_string())).signals
    for row, text in enumerate(texts):
        if text is None:
            assert np.isnan(signals["num_chars"][row])
            assert np.isnan(signals["num_visible_chars"][row])
        else:
            assert signals["num_chars"][row] == len(text)
            assert signals["num_visible_chars"][row] == sum(not c.isspace() for c in text)


def test_every_space_counts_as_a_space() -> None:
    spaces = "".join(chr(c) for c in range(0x3001) if chr(c).isspace())
    signals = measure([SizeSignals()], pa.array([spaces, spaces + "x"], pa.large_string())).signals
    assert signals["num_visible_chars"].tolist() == [0, 1]
    assert signals["num_chars"].tolist() == [len(spaces), len(spaces) + 1]
