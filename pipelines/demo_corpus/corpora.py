"""The five corpora of the demo: which text becomes which raw row of which file.

Every corpus has the files, columns and oddities of the published one, and planted rows:
books that must be refused, mC4 rows, exact and near-duplicates within and across corpora,
null and empty texts, and text that looks like special tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from dataprep.hashing import hash64
from pipelines.demo_corpus import layouts, raw_rows
from pipelines.demo_corpus.gather import Text, prose_of
from pipelines.demo_corpus.invented import REFUSED_BOOKS, SPECIAL_TOKEN_TEXT, arithmetic_page, near_duplicate
from pipelines.demo_corpus.layouts import Row
from pipelines.demo_corpus.material import Material, share

Files = dict[str, tuple[list[Row], pa.Schema | None]]
"""Path below the demo's raw folder to its rows; the schema is null for jsonl."""


def refinedweb(material: Material) -> Files:
    """English web pages: documentation prose, some reference pages, a few foreign pages."""
    english = material.own["en"]
    texts = share(material.pages, "pages", 0, 52) + share(material.reference, "reference", 0, 20) + english
    texts += [_variant(text, 0.01) for text in share(material.pages, "pages", 0, 4)]
    texts += material.own["de"][:2] + material.own["fr"][:2]
    rows = [raw_rows.web_row(text) for text in _shuffled(texts)]
    rows.insert(7, {**rows[7], "content": "", "url": "https://empty.example.org/"})
    rows.insert(11, {**rows[11], "content": SPECIAL_TOKEN_TEXT, "url": "https://tokens.example.org/note"})
    rows.insert(20, rows[13])
    if len(rows) > 1500:
        rows.insert(100, {**rows[100], "content": None})
    return _split("refinedweb/data/train-{:05d}-of-00002-{}.parquet", rows, 2, layouts.REFINEDWEB)


def redpajama(material: Material) -> Files:
    """The seven subsets; of ``book`` only the PG19-like rows may be trained on."""
    pages, reference, own = material.pages, material.reference, material.own
    crawl = _shuffled(share(pages, "pages", 48, 62) + share(reference, "reference", 30, 34))
    c4 = share(pages, "pages", 58, 80) + share(reference, "reference", 38, 44)
    c4 += [_variant(text, 0.005) for text in share(pages, "pages", 8, 12)]
    code = share(material.packages, "code", 0, 60) + material.library[:40]
    wiki = [(text, language) for language in own for text in own[language][:3]]
    wiki += [(_variant(text, 0.01), language) for language in own for text in own[language][3:6]]
    wiki += [(text, "en") for text in share(material.topics, "topics", 0, 60)]
    crawl_name = "common_crawl/2023-06/en_{}_0000.json.gz.dedup.classifier.jsonl.zst"
    c4_rows = [raw_rows.c4_row(text) for text in _shuffled(c4)]
    crawl_rows = [raw_rows.common_crawl_row(text, line) for line, text in enumerate(crawl)]
    names_and_rows: dict[str, list[Row]] = {
        crawl_name.format("head"): crawl_rows[::2],
        crawl_name.format("middle"): crawl_rows[1::2],
        "c4/c4-train.00000-of-01024.jsonl": c4_rows[::2],
        "c4/c4-train.00001-of-01024.jsonl": c4_rows[1::2],
        f"github/filtered_{raw_rows.hex_digits('github')}.sampled.jsonl": list(
            map(raw_rows.github_row, code)
        ),
        f"arxiv/arxiv_{raw_rows.uuid_like('arxiv')}.jsonl": [
            raw_rows.arxiv_row(text) for text in share(pages, "pages", 92, 97)
        ],
        "stackexchange/stackexchange.jsonl": [
            raw_rows.question_row(text) for text in share(reference, "reference", 46, 80)
        ],
        "wikipedia/wiki.jsonl": [raw_rows.wiki_row(text, language) for text, language in wiki],
        "book/book.jsonl": _book_rows(material),
    }
    return {f"redpajama/{name}": (rows, None) for name, rows in names_and_rows.items()}


def pile(material: Material) -> Files:
    """One stream of many subsets in shuffled order, Books3 among them, and a validation file."""
    pages, own = material.pages, material.own
    texts = [("Pile-CC", text) for text in share(pages, "pages", 76, 86)]
    texts += [("Pile-CC", _variant(text, 0.01)) for text in share(pages, "pages", 12, 16)]
    texts += [("OpenWebText2", text) for text in share(pages, "pages", 86, 92)]
    texts += [("Github", text) for text in share(material.packages, "code", 50, 100)]
    texts += [
        ("StackExchange", raw_rows.as_question(text))
        for text in share(material.reference, "reference", 74, 100)
    ]
    texts += [("ArXiv", raw_rows.as_paper(text)) for text in share(pages, "pages", 96, 100)]
    texts += [("Wikipedia (en)", text) for text in share(material.topics, "topics", 40, 80)]
    texts += [("FreeLaw", text) for text in material.licences]
    texts += [("EuroParl", text) for language in own for text in own[language][6:8]]
    texts += [("DM Mathematics", _invented(f"arithmetic/{n}", arithmetic_page(n))) for n in range(300)]
    texts += [("Gutenberg (PG-19)", text) for text in _volumes(material)[1::2]]
    texts += [
        ("Books3", _invented(f"books3/{title}", f"{title}\n\n{body}"))
        for title, body in REFUSED_BOOKS.items()
    ]
    ordered = sorted(texts, key=lambda pair: (hash64("pile", pair[0], pair[1].name), pair[1].name))
    rows: list[Row] = [{"text": text.body, "meta": {"pile_set_name": subset}} for subset, text in ordered]
    cut = len(rows) // 2
    return {
        "pile/train/00.jsonl.zst": (rows[20:cut], None),
        "pile/train/01.jsonl.zst": (rows[cut:], None),
        "pile/val.jsonl.zst": (rows[:20], None),
    }


def starcoderdata(material: Material) -> Files:
    """Code by language, a part of it led by StarCoder's tags, and three of the special folders."""
    library = list(material.library)
    library += [_variant(text, 0.004) for text in share(library, "library", 0, 5)]
    scripts: list[Row] = [
        {"path": f"{s.name}.ipynb", "repo_name": s.project, "content": s.body} for s in material.scripts
    ]
    edited = share(material.library, "library", 5, 12)
    folder = "starcoderdata"
    return {
        **_split(
            folder + "/python/train-{:05d}-of-00002.parquet",
            raw_rows.code_rows(library),
            2,
            layouts.STARCODER,
        ),
        f"{folder}/c/train-00000-of-00001.parquet": (raw_rows.code_rows(material.headers), layouts.STARCODER),
        f"{folder}/markdown/train-00000-of-00001.parquet": (
            raw_rows.code_rows(material.readmes),
            layouts.STARCODER,
        ),
        f"{folder}/jupyter-scripts-dedup-filtered/train-00000-of-00001.parquet": (
            scripts,
            layouts.STARCODER_SCRIPTS,
        ),
        f"{folder}/git-commits-cleaned/train-00000-of-00001.parquet": (
            [raw_rows.commit_row(text) for text in edited if len(text.body) < 12_000],
            layouts.STARCODER_COMMITS,
        ),
        f"{folder}/github-issues-filtered-structured/train-00000-of-00001.parquet": (
            [raw_rows.issue_row(text, n) for n, text in enumerate(share(material.reference, "issues", 0, 6))],
            layouts.STARCODER_ISSUES,
        ),
    }


def culturax(material: Material) -> Files:
    """Seven languages; rows whose source is mC4 must not be trained on."""
    files: Files = {}
    for language, texts in material.own.items():
        rows = [raw_rows.culturax_row(text, language, "OSCAR-2301") for text in texts]
        rows += [raw_rows.culturax_row(_variant(text, 0.01), language, "OSCAR-2201") for text in texts[8:10]]
        rows += [raw_rows.culturax_row(_variant(text, 0.3), language, "mC4") for text in texts[4:12]]
        rows.append(rows[0])
        name = f"culturax/{language}/{language}_part_00000.parquet"
        files[name] = (
            sorted(rows, key=lambda row: hash64("culturax", row["url"], row["source"])),
            layouts.CULTURAX,
        )
    return files


CORPORA: tuple[Callable[[Material], Files], ...] = (refinedweb, redpajama, pile, starcoderdata, culturax)


def _book_rows(material: Material) -> list[Row]:
    rows: list[Row] = []
    for number, volume in enumerate(_volumes(material)[::2]):
        meta = {
            "short_book_title": volume.title,
            "publication_date": 1900 + number,
            "url": f"http://www.gutenberg.org/ebooks/{90_000 + number}",
        }
        rows.append({"meta": meta, "text": volume.body})
    refused: list[Row] = [{"meta": {"title": title}, "text": body} for title, body in REFUSED_BOOKS.items()]
    return rows[:2] + refused + rows[2:]


def _volumes(material: Material) -> list[Text]:
    """Long texts: the chapters of the language reference bound into volumes."""
    chapters = [text for text in material.topics if prose_of(text.body)]
    volumes = []
    for start in range(0, len(chapters), 8):
        bound = chapters[start : start + 8]
        title = f"The Language Reference, volume {start // 8 + 1}"
        body = title + "\n\n" + "\n\n".join(f"{text.title}\n\n{text.body}" for text in bound)
        volumes.append(Text(f"volume/{start // 8}", body, "python", title))
    return volumes


def _variant(text: Text, rate: float) -> Text:
    return Text(
        f"{text.name}~{rate}",
        near_duplicate(text.body, key=text.name, rate=rate),
        text.project,
        title=text.title,
    )


def _invented(name: str, body: str) -> Text:
    return Text(name, body, "dataprep")


def _split(pattern: str, rows: Sequence[Row], num_files: int, schema: pa.Schema | None) -> Files:
    size = -(-len(rows) // num_files)
    return {
        pattern.format(number, raw_rows.hex_digits(pattern)[:16]): (
            list(rows[number * size : (number + 1) * size]),
            schema,
        )
        for number in range(num_files)
    }


def _shuffled(texts: Sequence[Text]) -> list[Text]:
    return sorted(texts, key=lambda text: (hash64("shuffle", text.name), text.name))
