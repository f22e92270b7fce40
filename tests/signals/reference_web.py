"""The heuristics for prose, one text at a time, as close to datatrove 0.10.0's code as can be."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection

from reference_words import words_of

from dataprep.text.characters import SYMBOL, TERMINAL, character_table

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
NAN = float("nan")


def has(character: str, bit: int) -> bool:
    return bool(character_table()[ord(character)] & bit)


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else NAN


def duplicates(parts: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count = chars = 0
    for part in parts:
        if part in seen:
            count += 1
            chars += len(part)
        seen.add(part)
    return count, chars


def top_gram_chars(words: list[str], size: int) -> int:
    grams = Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))
    if not grams:
        return 0
    top, count = grams.most_common(1)[0]
    return len(" ".join(top)) * count


def duplicated_gram_chars(words: list[str], size: int) -> int:
    seen: set[tuple[str, ...]] = set()
    chars = i = 0
    while i < len(words) - size + 1:
        gram = tuple(words[i : i + size])
        if gram in seen:
            chars += sum(map(len, gram))
            i += size
        else:
            seen.add(gram)
            i += 1
    return chars


def num_sentences(words: list[str]) -> int:
    sentences, after_mark = int(bool(words)), False
    for word in words:
        if len(word) == 1 and has(word, TERMINAL):
            after_mark = True
        elif after_mark and not all(unicodedata.category(c)[0] == "P" for c in word):
            sentences += 1
            after_mark = False
    return sentences


def c4_signals(
    text: str, *, terminal_punct: bool, min_line_words: int, language: str | None
) -> dict[str, float]:
    found = {"c4_lorem_ipsum": 0.0, "c4_curly_bracket": 0.0, "c4_num_sentences": 0.0}
    for raw_line in text.splitlines():
        chunks = raw_line.split()
        if not chunks or any(len(chunk) > 1000 for chunk in chunks):
            continue
        line = CITATION.sub("", raw_line.strip())
        if terminal_punct and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(chunks) < min_line_words:
            continue
        if "lorem ipsum" in line.lower():
            found["c4_lorem_ipsum"] = 1.0
        elif "javascript" in line.lower():
            continue
        elif "{" in line:
            found["c4_curly_bracket"] = 1.0
        elif not any(policy in line.lower() for policy in POLICIES):
            found["c4_num_sentences"] += num_sentences(words_of(line, language=language))
    return found


def web_signals(
    text: str,
    *,
    kind: str = "unicode",
    short_line_chars: int = 30,
    terminal_punct: bool = False,
    min_line_words: int = 3,
    language: str | None = None,
    stop_words: Collection[str] = STOP_WORDS,
) -> dict[str, float]:
    words = words_of(text, kind=kind, language=language)
    real_words = [word for word in words if not all(has(c, SYMBOL) for c in word)]
    segments = text.splitlines()
    paragraphs = re.split(r"\n{2,}", text.strip())
    lines = re.split("\n+", text)
    solid_lines = [line for line in text.split("\n") if line.strip()]
    short_lines = [line for line in solid_lines if len(line) <= short_line_chars]
    dup_paragraphs, dup_paragraph_chars = duplicates(paragraphs)
    dup_lines, dup_line_chars = duplicates(lines)
    return {
        "num_words": len(words),
        "num_non_symbol_words": len(real_words),
        "mean_word_length": ratio(sum(map(len, real_words)), len(real_words)),
        "hash_ratio": ratio(text.count("#"), len(words)),
        "ellipsis_ratio": ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_line_ratio": ratio(sum(s.lstrip().startswith(("•", "-")) for s in segments), len(segments)),
        "ellipsis_line_ratio": ratio(sum(s.rstrip().endswith(("...", "…")) for s in segments), len(segments)),
        "alpha_word_ratio": ratio(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "num_stop_words": len(set(stop_words) & set(words)),
        "dup_para_frac": dup_paragraphs / len(paragraphs),
        "dup_para_char_frac": ratio(dup_paragraph_chars, len(text)),
        "dup_line_frac": dup_lines / len(lines),
        "dup_line_char_frac": ratio(dup_line_chars, len(text)),
        **{f"top_{n}_gram_frac": ratio(top_gram_chars(words, n), len(text)) for n in (2, 3, 4)},
        **{f"dup_{n}_gram_frac": ratio(duplicated_gram_chars(words, n), len(text)) for n in range(5, 11)},
        "line_punct_ratio": ratio(sum(has(line[-1], TERMINAL) for line in solid_lines), len(solid_lines)),
        "short_line_ratio": ratio(len(short_lines), len(solid_lines)),
        "char_dup_ratio": ratio(duplicates(solid_lines)[1], len(text.replace("\n", ""))),
        "list_ratio": ratio(text.count("\n"), len(words)),
        **c4_signals(
            text,
            terminal_punct=terminal_punct,
            min_line_words=min_line_words,
            language=language,
        ),
    }
