"""Texts for tests of tokenizers: a demo vocabulary's training text, and strategies for any text."""

from __future__ import annotations

from hypothesis import strategies as st

from dataprep.tokenizers.specs import CODE_TAGS

TRAINING_TEXTS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "def main():\n    for number in range(10):\n        print(number, number ** 2)\n",
    "Grüße aus Köln: die Straße ist naß, und die Äpfel sind süß.",
    "L'été dernier, nous étions à la plage; elle s'était couchée tôt.",
    "In 2023 the price rose from 1,234.50 to 98,765.43 dollars.",
    "中文字符和日本語のテキスト、한국어도 있습니다.",
    "\tindented\n\n\n   with   spaces   \r\n and <tags> & entities;",
] * 4

SPECIAL_LOOKING = [
    *CODE_TAGS,
    "<|endoftext|>",
    "<|padding|>",
    "<|fim_prefix|>",
    "<fim_prefix>",
    "<|im_start|>",
    "<|im_end|>",
    "<|reg0|>",
    "<|extra0|>",
    "<|pause|>",
    "<|endofprompt|>",
    "<s>",
    "</s>",
]

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
spaces = st.text(st.sampled_from(" \t\n\r\u00a0\u2028\u3000"), max_size=40)
pieces = st.one_of(
    any_text,
    spaces,
    st.sampled_from(SPECIAL_LOOKING),
    st.text(st.sampled_from("0123456789.,'sStTdlLreveE"), max_size=20),
    st.text(st.sampled_from("<|>_endoftxrpamu gh"), max_size=20),
    # Letters with marks that compose, Hangul jamo, and characters that NFC replaces.
    st.text(
        st.sampled_from("aeoAE\u0301\u0308\u0323\u0327\u1100\u1161\u11a8\u212b\u0958\ufb1d"), max_size=12
    ),
)
texts = st.lists(pieces, max_size=6).map("".join)
"""Texts of all planes, rich in what tokenizers and normalisation treat specially."""
