"""Agreement with datatrove: the same documents, the same rules, decision by decision.

``python -m benchmarks.agreement --data-root DIR --output docs/peer-agreement.md`` writes the table;
``tests/peers`` demands it. Needs the extra ``peers``.
"""
