"""What texts to be redacted are made of, and what redaction has to make of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
from reference_pii import matches

from dataprep.text.pii import PII_KINDS, Pii, PiiKind, placeholder_of

PIECES = [
    "a", "b", "foo", "Tel", "phone", "Fax", "tél", "móvil", "é", "ß", "漢", "😀", "\u00a0", " ", " ",
    " ", "\n", ".", ".", "..", ",", "-", "--", "-----", "_", "+", "(", ")", "/", ":", ": ", "::", "@",
    "@", "%", "=", "<", ">", "$", "#", "§", "~", "0", "1", "2", "9", "12", "30", "64", "99", "202",
    "255", "555", "0110", "7946", "2000", "020", "049", "1.2.3.4", "93.184.216.34", "10.0.0.1",
    "8.8.8.8", "+1", "+44 20", "+49", "2a00", "(202) 555-0110", "202-555-0110", ":1450", ":4001",
    "2001:db8::1", "2a00:1450::8", "foo@bar.com", "b@c.de", "x.png", "bar.com", ".org", "eyJ",
    "eyJhbGciOiJI", ".eyJzdWIiOi", ".SflKxwRJSM", "AKIA", "ASIA", "ghp_", "IOSFODNN7EXAMPLE",
    "A1b2C3d4E5f6" * 3, "sk-", "xoxb-", "AIza", "hf_", "npm_", "SG.", "glpat-", "-----BEGIN ",
    "-----END ", "RSA PRIVATE KEY-----", "PUBLIC KEY-----", "020 7946 0034", "30 1234567",
]  # fmt: skip


def assert_as_reference(
    column: pa.LargeStringArray, texts: Sequence[str | None], kinds: Collection[PiiKind] = PII_KINDS
) -> None:
    """Compare every piece and every new text with the reference, and redact a second time in vain."""
    edit = Pii(kinds=tuple(kinds))
    edited = edit.apply(column)
    edited.text.validate(full=True)
    found: list[list[tuple[str, int, int]]] = [[] for _ in texts]
    for row, kind, start, stop in edited.pieces.tolist():
        found[row].append((PII_KINDS[kind], start, stop))
    made = edited.text.to_pylist()
    assert len(made) == len(texts)
    for row, text in enumerate(texts):
        if text is None:
            assert made[row] is None
            assert found[row] == []
            continue
        expected, rebuilt, place = matches(text, kinds), "", 0
        in_bytes = [(k, len(text[:a].encode()), len(text[:b].encode())) for k, a, b in expected]
        assert found[row] == in_bytes, text
        for kind, start, stop in expected:
            rebuilt += text[place:start] + placeholder_of(kind)
            place = stop
        assert made[row] == rebuilt + text[place:]
    assert edit.apply(edited.text).text.to_pylist() == made
