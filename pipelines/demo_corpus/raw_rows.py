"""Raw rows of the published corpora: their columns, metadata and ways of writing a text."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from dataprep.hashing import hash64
from pipelines.demo_corpus.gather import Text
from pipelines.demo_corpus.invented import near_duplicate
from pipelines.demo_corpus.layouts import Row

_EPOCH = datetime.datetime(2013, 1, 1)


def web_row(text: Text) -> Row:
    """Return a row of RefinedWeb."""
    moment = _EPOCH + datetime.timedelta(minutes=hash64("time", text.name) % 5_000_000)
    return {
        "content": text.body,
        "url": _url(text),
        "timestamp": moment,
        "dump": f"CC-MAIN-{moment.year}-{moment.isocalendar().week:02d}",
        "segment": str(hash64("segment", text.name) % 10**13),
        "image_urls": [],
    }


def common_crawl_row(text: Text, line: int) -> Row:
    """Return a flat row of RedPajama's common_crawl: no ``meta`` and no URL."""
    probability = 0.25 + hash64("wiki", text.name) % 7_500 / 10_000
    return {
        "pred_label": "__label__wiki",
        "pred_label_prob": probability,
        "wiki_prob": probability,
        "text": text.body,
        "source": f"cc/2023-06/en_head_0000.json.gz/line{line}",
    }


def c4_row(text: Text) -> Row:
    """Return a row of RedPajama's c4."""
    meta = {"timestamp": "2019-04-22T05:08:11Z", "url": _url(text), "language": "en", "source": "c4"}
    return {"text": text.body, "meta": meta}


def github_row(text: Text) -> Row:
    """Return a row of RedPajama's github."""
    lines = text.body.splitlines() or [""]
    meta = {
        "content_hash": hex_digits(text.body),
        "timestamp": "",
        "source": "github",
        "line_count": len(lines),
        "max_line_length": max(map(len, lines)),
        "avg_line_length": sum(map(len, lines)) / len(lines),
        "alnum_prop": sum(map(str.isalnum, text.body)) / len(text.body),
        "repo_name": f"{text.project}/{text.project}",
        "path": text.name,
        "license": "apache-2.0",
        "language": [{"name": "Python", "bytes": str(len(text.body.encode()))}],
    }
    return {"text": text.body, "meta": meta}


def arxiv_row(text: Text) -> Row:
    """Return a row of RedPajama's arxiv: LaTeX."""
    number = f"19{hash64('month', text.name) % 12 + 1:02d}.{hash64('arxiv', text.name) % 100_000:05d}"
    meta = {"timestamp": "2019-11-05T10:00:00", "yymm": number[:4], "arxiv_id": number, "language": "en"}
    return {"text": as_paper(text).body, "meta": {**meta, "url": f"https://arxiv.org/abs/{number}"}}


def question_row(text: Text) -> Row:
    """Return a row of RedPajama's stackexchange; like some tools, it keeps ``meta`` as a JSON string."""
    number = hash64("question", text.name) % 10**7
    meta = {
        "language": "en",
        "url": f"https://stackoverflow.com/questions/{number}",
        "timestamp": "2023-03-29",
    }
    return {
        "text": as_question(text).body,
        "meta": json.dumps({**meta, "source": "stackexchange", "question_score": "3"}),
    }


def wiki_row(text: Text, language: str) -> Row:
    """Return a row of RedPajama's wikipedia."""
    url = f"https://{language}.wikipedia.org/wiki/{text.title.replace(' ', '_')}"
    return {
        "text": text.body,
        "meta": {"title": text.title, "url": url, "language": language, "timestamp": "20230320"},
    }


def culturax_row(text: Text, language: str, source: str) -> Row:
    """Return a row of CulturaX; ``source`` is ``mC4`` or ``OSCAR-...``."""
    url = f"https://{language}.example.net/{text.name}"
    return {"text": text.body, "timestamp": "2018/11/19 07:24:51", "url": url, "source": source}


def code_rows(texts: Sequence[Text]) -> list[Row]:
    """Return rows of a StarCoder language; each tag leads a fifth of them."""
    rows: list[Row] = []
    for text in texts:
        draw = hash64("tags", text.name)
        tags = "".join(
            tag
            for chance, tag in enumerate(
                (f"<reponame>{text.project}/{text.project}", f"<filename>{text.name}", "<gh_stars>100-1000")
            )
            if (draw >> (8 * chance)) % 5 == 0
        )
        rows.append(
            {
                "max_stars_repo_path": text.name,
                "max_stars_repo_name": f"{text.project}/{text.project}",
                "max_stars_count": None if draw % 7 == 0 else draw % 4_000,
                "id": str(draw % 10**8),
                "content": f"{tags}\n{text.body}" if tags else text.body,
            }
        )
    return rows


def commit_row(text: Text) -> Row:
    """Return a row of StarCoder's commits: a file before and after a small edit."""
    after = near_duplicate(text.body, key=f"commit/{text.name}", rate=0.01)
    content = f"<commit_before>{text.body}<commit_msg>Rename a few things<commit_after>{after}"
    return {
        "commit": hex_digits(text.name) + "00000000",
        "old_file": text.name,
        "new_file": text.name,
        "content": content,
    }


def issue_row(text: Text, number: int) -> Row:
    """Return a row of an issue with a question and an answer, written with StarCoder's tags."""
    content = (
        f"<issue_start><issue_comment>Title: How is {text.title} meant to be used?\n"
        f"username_0: I found {text.name} and could not tell what it expects.\n"
        f"<issue_comment>username_1: {text.body}\n<issue_closed>"
    )
    issue_id = str(hash64("issue", text.name) % 10**9)
    return {"repo": text.project, "issue_id": issue_id, "issue_number": number, "content": content}


def as_question(text: Text) -> Text:
    """Return a docstring as a question with its answer."""
    question = f"How does {text.title} in {text.name.rpartition('.')[0] or text.project} work?"
    return Text(text.name, f"Q: {question}\n\nA: {text.body}", text.project, text.title)


def as_paper(text: Text) -> Text:
    """Return a page as a LaTeX section."""
    heading, *sections = text.body.split("\n\n")
    parts = "\n\n".join(f"\\subsection{{Remark {n}}}\n\n{part}" for n, part in enumerate(sections, start=1))
    body = f"\\section{{On {text.title}}}\n\n{heading}\n\n{parts}"
    return Text(text.name, body.replace("_", r"\_"), text.project, text.title)


def _url(text: Text) -> str:
    return f"https://{text.project.lower().replace('_', '-')}.example.org/{text.name.replace('.', '/')}.html"


def hex_digits(text: str) -> str:
    """Return 32 hexadecimal digits that depend on ``text`` alone."""
    return f"{hash64('hex', text):016x}{hash64('more', text):016x}"


def uuid_like(text: str) -> str:
    """Return a name in the shape of a UUID that depends on ``text`` alone."""
    digits = hex_digits(text)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
