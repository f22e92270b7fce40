"""The plan as a table and as JSON."""

from __future__ import annotations

import json

from mixtures_for_plans import mixture, sizes, stage

from dataprep.plan import plan_json, plan_mixture, plan_table, plan_text

MIXTURE = mixture(
    stage(
        "one",
        {
            "a": {"weight": 0.75, "provenance": "published", "published": {"tokens": "1.2B", "epochs": 1.5}},
            "b": {"weight": 0.25, "provenance": "reconstruction"},
        },
        tokens=1600,
        passes=4,
    ),
    holdout_fraction=0.01,
)
PLANS = plan_mixture(MIXTURE, sizes(a=900, b=100) | {("a", "holdout"): sizes(a=40)["a", "all"]})


def test_a_row_says_what_was_asked_what_there_is_and_what_was_published() -> None:
    a, b, held_out, _ = plan_table(PLANS, MIXTURE)
    assert (a.source, a.corpus, a.subsets, a.weight, a.rows) == ("a", "a", "all", 0.75, 75)
    assert (a.requested_tokens, a.planned_tokens, a.available_tokens) == (1200, 1200, 900)
    assert (a.published_tokens, a.published_epochs, a.epochs) == (1_200_000_000, 1.5, 1200 / 900)
    assert (b.limiting, b.provenance, b.epoch_end) == (True, "reconstruction", 4.0)
    assert (held_out.stage, held_out.length_class, held_out.limiting) == ("validation", "holdout", False)


def test_the_text_has_one_line_for_each_source_and_marks_the_limiting_and_the_reconstructed() -> None:
    lines = plan_text(PLANS, MIXTURE).splitlines()
    (line_a,) = [line for line in lines if line.startswith("  a ") and "1.2k" in line]
    assert line_a.split() == ["a", "a", "0.7500", "1.2k", "900", "1.33", "1.5", "1.33", "75"]
    (line_b,) = [line for line in lines if line.startswith("  b *")]
    assert "0.2500~" in line_b
    assert any(
        "1.6k tokens = 100 rows of 16 (concat) in 1 shard, to be trained on 4 times" in x for x in lines
    )
    assert "* reaches max_epochs (16) first when the mixture grows" in lines
    assert any("reconstruction" in line for line in lines)


def test_the_json_holds_every_stage_and_stream_and_is_json() -> None:
    value = json.loads(json.dumps(plan_json(PLANS, MIXTURE)))
    assert [one["stage"] for one in value["stages"]] == ["one", "validation"]
    assert [stream["source"] for stream in value["stages"][0]["streams"]] == ["a", "b"]
    assert value["stages"][0]["rows"] == 100
