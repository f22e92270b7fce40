"""Write the page about agreement: ``python -m benchmarks.agreement --data-root DIR --output FILE``."""

from __future__ import annotations

import argparse
import os
import sys
import time

from benchmarks.agreement.comparison import compare
from benchmarks.agreement.page import page
from benchmarks.agreement.sample import draw_documents

DATA_ROOT_VARIABLE = "DATAPREP_TEST_CORPUS"


def main(arguments: list[str]) -> int:
    """Compare and write the page."""
    options = _parse(arguments)
    per_stratum = options.per_stratum or None
    documents = draw_documents(
        options.data_root, per_stratum=per_stratum, max_bytes=options.max_kilobytes * 1000
    )
    print(f"comparing {len(documents):,} documents; datatrove takes some minutes", file=sys.stderr)
    started = time.perf_counter()
    comparison = compare(documents)
    which = f"{per_stratum:,} of each corpus or language" if per_stratum else "all"
    text = page(
        comparison,
        command=f"python -m benchmarks.agreement --per-stratum {options.per_stratum} "
        f"--max-kilobytes {options.max_kilobytes}",
        sample=f"{which} (prose of at most {options.max_kilobytes} kB), and the planted edge cases",
    )
    if options.output:
        with open(options.output, "w", encoding="utf-8") as sink:
            sink.write(text)
    else:
        print(text)
    unexplained = sum(
        one.cause is not None and one.cause.kind == "bug of ours" for one in comparison.decisions
    )
    print(
        f"{len(comparison.differences):,} differences, {unexplained:,} not explained, "
        f"{time.perf_counter() - started:.0f} s",
        file=sys.stderr,
    )
    return 1 if unexplained else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    default = os.environ.get(DATA_ROOT_VARIABLE, "demo-output/raw")
    parser.add_argument("--data-root", default=default, help="raw corpora (default: the demo's)")
    parser.add_argument(
        "--per-stratum",
        type=int,
        default=300,
        help="documents of each corpus, or of each language of a multilingual one; 0: all (default: 300)",
    )
    parser.add_argument(
        "--max-kilobytes", type=int, default=60, help="longer texts are not drawn (default: 60)"
    )
    parser.add_argument("--output", metavar="FILE", help="Markdown file to write (default: print it)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
