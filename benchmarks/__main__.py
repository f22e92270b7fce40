"""Run benchmarks: ``python -m benchmarks ingest minhash decontamination tokenization loader chain``..."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from benchmarks import (
    chain,
    decontamination,
    deduplication,
    edits,
    ingest,
    loader,
    minhash,
    packing,
    reading,
    shapes,
    tokenization,
    web_chain,
)
from benchmarks.machine import machine, machine_text
from benchmarks.measuring import Case, run_cases, table
from benchmarks.texts import CODE, PROSE, WEB, TextsSpec, load_texts

DATA_ROOT_VARIABLE = "DATAPREP_TEST_CORPUS"

STAGES: dict[str, tuple[tuple[tuple[Case, ...], tuple[str, ...]], ...]] = {
    "reading": ((reading.CASES, WEB),),
    "ingest": ((ingest.PROSE_CASES, WEB), (ingest.CODE_CASES, CODE)),
    "edits": ((edits.CASES, WEB),),
    "shapes": ((shapes.CASES, WEB),),
    "minhash": ((minhash.CASES, PROSE),),
    "deduplication": ((deduplication.CASES, PROSE),),
    "decontamination": ((decontamination.CASES, PROSE),),
    "tokenization": ((tokenization.CASES, PROSE + CODE),),
    "packing": ((packing.CASES, PROSE),),
}
NAMES = (*STAGES, "loader", "web-chain", "chain")


def main(arguments: list[str]) -> int:
    """Run the named benchmarks and print what they measured."""
    options = _parse(arguments)
    if options.vocab:
        os.environ[tokenization.VOCABULARY_VARIABLE] = options.vocab
    print(machine_text(), flush=True)
    report: dict[str, Any] = {"machine": machine()}
    for name in options.names or NAMES:
        print(f"\n{name}", flush=True)
        if name == "chain":
            results = [
                chain.run_chain(
                    options.mixture,
                    data_root=options.data_root,
                    tokens=options.tokens,
                    vocab=options.vocab,
                    workers=workers,
                )
                for workers in chain.worker_counts()
            ]
            print(chain.chain_text(results), flush=True)
            report[name] = [asdict(one) for one in results]
            continue
        if name == "web-chain":
            spec = TextsSpec(options.data_root, WEB, int(options.megabytes * 1e6))
            chains = web_chain.run_web_chain(spec, vocab=options.vocab)
            print(web_chain.web_chain_text(chains), flush=True)
            report[name] = [asdict(one) for one in chains]
            continue
        if name == "loader":
            spec = TextsSpec(options.data_root, PROSE + CODE, int(options.megabytes * 1e6))
            readers = loader.run_loader(load_texts(spec), vocab=options.vocab)
            print(loader.loader_text(readers), flush=True)
            report[name] = [asdict(one) for one in readers]
            continue
        report[name] = []
        for cases, corpora in STAGES[name]:
            spec = TextsSpec(options.data_root, corpora, int(options.megabytes * 1e6))
            measured = run_cases(cases, spec, rounds=options.rounds)
            print(table(measured), flush=True)
            report[name] += [one.to_json() for one in measured]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as sink:
            json.dump(report, sink, indent=2)
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    default = os.environ.get(DATA_ROOT_VARIABLE, "demo-output/raw")
    parser.add_argument("--data-root", default=default, help="raw corpora (default: the demo's)")
    parser.add_argument("--megabytes", type=float, default=32, help="text for each case (default: 32)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of a case, median counts (default: 3)")
    parser.add_argument("--mixture", default="demo", help="what the chain builds (default: demo)")
    parser.add_argument("--tokens", help="scale the mixture of the chain")
    parser.add_argument("--vocab", help="vocabularies: a file, or a folder of them")
    parser.add_argument("--json", metavar="FILE", help="write the measurements as JSON too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
