"""Plans: which tokens of which source every shard of a stage holds, computed before any work.

``planning`` turns a mixture and the sizes of its token stores into stage plans, ``forking`` plans
the rest of a stage anew, ``stage_plan`` is the form and file of a plan, ``shard_rows`` the order
of the rows of a shard, ``table`` the view for people.
"""

from dataprep.plan.forking import check_fork_row, plan_rest
from dataprep.plan.planning import (
    largest_tokens,
    plan_mixture,
    plan_stage,
    plan_validation,
    with_realised_rows,
)
from dataprep.plan.shard_rows import ShardRows, shard_rows
from dataprep.plan.stage_plan import (
    ROWS_PER_SHARD,
    ShardPlan,
    StagePlan,
    StreamPlan,
    StreamRange,
    StreamSize,
)
from dataprep.plan.table import PlanRow, plan_json, plan_table, plan_text

__all__ = [
    "ROWS_PER_SHARD",
    "PlanRow",
    "ShardPlan",
    "ShardRows",
    "StagePlan",
    "StreamPlan",
    "StreamRange",
    "StreamSize",
    "check_fork_row",
    "largest_tokens",
    "plan_json",
    "plan_mixture",
    "plan_rest",
    "plan_stage",
    "plan_table",
    "plan_text",
    "plan_validation",
    "shard_rows",
    "with_realised_rows",
]
