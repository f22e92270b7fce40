"""From raw web pages to training tokens, beside datatrove doing the same steps.

Both get Parquet files in RefinedWeb's layout, and both read, identify languages, apply Gopher's
quality and repetition rules, remove near-duplicates by MinHash (14 bands of 8, 5-grams), tokenize
for GPT-NeoX and write a shuffled order; ours also removes exact and URL duplicates, packs, mixes
and seals what it wrote. Ours is the whole command from the start of Python to its last line;
datatrove is timed without its imports, on fewer documents.
"""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from benchmarks.reading import parquet_pages
from benchmarks.texts import WEB, Texts, TextsSpec, load_texts
from dataprep.report import summarise
from dataprep.text_table import aligned

PEER_BYTES = 4_000_000
"""Text that datatrove gets: it needs some twenty seconds for it."""
_MIXTURE = """
name: web
tokenizer: neox
seed: 1
sources:
  web: {from: refinedweb, subsets: all}
stages:
  - {name: main, tokens: TOKENS, sequence_length: 2048, sources: {web: {weight: 1}}}
"""


@dataclass(frozen=True)
class WebChain:
    """One way from raw pages to tokens."""

    name: str
    text_bytes: int
    documents: int
    tokens: int
    wall_s: float
    cpu_s: float

    @property
    def mb_per_cpu_s(self) -> float:
        """Raw text for each second of CPU time, of all processes."""
        return self.text_bytes / 1e6 / self.cpu_s


def run_web_chain(spec: TextsSpec, *, vocab: str | None) -> list[WebChain]:
    """Run both, ours with one worker."""
    with tempfile.TemporaryDirectory(prefix="dataprep-bench-") as folder:
        results = [_run_ours(_pages(spec), folder, vocab=vocab)]
        pages = _pages(spec.up_to(PEER_BYTES))
        if vocab is None:
            print(
                "  datatrove: not measured (give --vocab, the folder with NeoX' tokenizer.json)", flush=True
            )
            return results
        raw = f"{parquet_pages(pages)}/refinedweb/data"
        command = [sys.executable, "-m", "benchmarks.web_chain_datatrove", raw, f"{folder}/peer", vocab]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            problem = (ran.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"  datatrove: not measured ({problem})", flush=True)
            return results
        wall_s, cpu_s, tokens = ran.stdout.split()[-3:]
        peer = WebChain("datatrove", pages.text_bytes, len(pages), int(tokens), float(wall_s), float(cpu_s))
        return [*results, peer]


def web_chain_text(results: list[WebChain]) -> str:
    """Return both as a table, with the ratio."""
    lines = [("chain", "raw MB", "raw documents", "tokens out", "wall s", "CPU s", "MB/CPU s", "ratio")]
    for one in results:
        ratio = "" if one is results[0] else f"{results[0].mb_per_cpu_s / one.mb_per_cpu_s:.0f} x"
        lines.append(
            (
                one.name,
                f"{one.text_bytes / 1e6:.1f}",
                f"{one.documents:,}",
                f"{one.tokens:,}",
                f"{one.wall_s:.1f}",
                f"{one.cpu_s:.1f}",
                f"{one.mb_per_cpu_s:.2f}",
                ratio,
            )
        )
    return aligned(lines, left_columns=1)


def _run_ours(pages: Texts, folder: str, *, vocab: str | None) -> WebChain:
    with open(f"{folder}/web.yaml", "w", encoding="utf-8") as sink:
        sink.write(_MIXTURE.replace("TOKENS", str(pages.text_bytes // 8)))
    command = [sys.executable, "-m", "pipelines.cli", "build", f"{folder}/web.yaml", "--workers", "1"]
    command += ["--data-root", parquet_pages(pages), "--output", f"{folder}/out"]
    command += ["--vocab", vocab] if vocab else []
    before, started = _children_cpu_s(), time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    wall_s, cpu_s = time.perf_counter() - started, _children_cpu_s() - before
    if ran.returncode != 0:
        raise SystemExit(f"the build failed:\n{ran.stderr[-2000:]}")
    tokens = sum(source.tokens for source in summarise(f"{folder}/out").sources)
    return WebChain("dataprep build", pages.text_bytes, len(pages), tokens, wall_s, cpu_s)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pages(spec: TextsSpec) -> Texts:
    """Return real text in any amount, as ``_recombined`` does."""
    texts, size = [], 0
    for text in _recombined(load_texts(TextsSpec(spec.data_root, WEB, spec.max_bytes)).column.to_pylist()):
        if size >= spec.max_bytes:
            break
        texts.append(text)
        size += len(text.encode())
    return Texts(pa.array(texts, pa.large_string()), size)


def _recombined(texts: list[str]) -> Iterator[str]:
    """Yield the texts, then for ever the first half of one with the second half of another.

    Real text in any amount, whose documents are no near-duplicates of each other.
    """
    yield from texts
    halves = [(text[: len(text) // 2], text[len(text) // 2 :]) for text in texts]
    for distance in itertools.count(1):
        for i, (first, _) in enumerate(halves):
            yield first + halves[(i + distance) % len(halves)][1]
