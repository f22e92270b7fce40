"""Which integer type holds the ids of an export: what the format knows and the vocabulary needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataprep.errors import ConfigError


def id_type(
    requested: str | None,
    *,
    export_format: str,
    allowed: Sequence[str],
    default: str,
    tokenizer: str,
    vocab_size: int,
) -> str:
    """Return the name of the integer type in which ids are written.

    Args:
        requested: what the user asked for; None: ``default``.
        export_format: for messages.
        allowed: types that the format and its readers know.
        default: the type that the format's own writer would choose.
        tokenizer: for messages.
        vocab_size: ids are below it.

    Raises:
        ConfigError: the format has no such type, or the type ends below the largest id.
    """
    chosen = default if requested is None else requested
    if chosen not in allowed:
        raise ConfigError(
            f"--dtype {chosen}: {export_format} files here hold {' or '.join(allowed)} "
            f"(readers of this format know no other type for ids); leave --dtype out for {default}"
        )
    largest = int(np.iinfo(chosen).max)
    if vocab_size - 1 > largest:
        wide = [name for name in allowed if np.iinfo(name).max >= vocab_size - 1]
        raise ConfigError(
            f"--dtype {chosen}: the ids of {tokenizer} go up to {vocab_size - 1:,}, but {chosen} ends at "
            f"{largest:,} and larger ids would become other ones without a word; use {' or '.join(wide)}"
        )
    return chosen
