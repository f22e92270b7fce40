"""What is usual in files of which extension, as StarCoder's authors found by looking at a thousand of each.

Figures: bigcode-dataset preprocessing/visual_inspection.csv @ 1bf72fa, applied as its
preprocessing/filtering.py does: an empty limit, or one that is no number, is none, and without a
limit for the longest line there is none for the mean line. What is not named here has the limits
that are the same for all files.

Differences. StarCoder goes by language and extension, we by the extension alone; the one that has other
limits in another language, ``cmake`` among makefiles, is CMake here. Of ``rkt`` the table says only that
it must be included, so it is. The longest line of ``fsh`` may have 1000 characters here and 500 there.
StarCoder drops files whose extension its table does not have; here they are judged as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Usual:
    """What is usual in the files of one extension; the defaults are those of most extensions."""

    excluded: bool = False
    """They are data, generated, or of another kind than the extension says: none is taken."""
    long_lines: bool = False
    few_letters: bool = False
    """Few letters and digits; how many letters there must be is another question."""
    xml: bool = False
    alpha_frac_asked: float = float("nan")
    """Least share of letters; NaN: none is asked."""


_EXCLUDED = """
    al aux bison cats cdf cl2 csx dpr f77 frg frx geo grt ihlp ltx nbp pck ph pls plx rest rktd rktl sexp sig
    sthlp tab toc vhf vht vrx w wlt xrl yy
"""
_LONG_LINES = """
    ado asm bbx bib bsv cbx cmake do dtx frm ins json lbx ma markdown matlab md mkd mkdn mkii mkiv mkvi nb r
    rmd ron rst sql sty tex
"""
_FEW_LETTERS = "frm ma nb sas"
_XML = "xsl xslt"
_QUARTER_LETTERS = "ads aug bas fp ma matlab mpl nb prc scm sld sps sv vhd wl y"
_HALF_LETTERS = "json yaml yml"


def _table() -> dict[str, Usual]:
    asked = dict.fromkeys(_QUARTER_LETTERS.split(), 0.25) | dict.fromkeys(_HALF_LETTERS.split(), 0.5)
    excluded, long_lines = set(_EXCLUDED.split()), set(_LONG_LINES.split())
    few_letters, xml = set(_FEW_LETTERS.split()), set(_XML.split())
    return {
        name: Usual(
            excluded=name in excluded,
            long_lines=name in long_lines,
            few_letters=name in few_letters,
            xml=name in xml,
            alpha_frac_asked=asked.get(name, float("nan")),
        )
        for name in sorted({*excluded, *long_lines, *few_letters, *xml, *asked})
    }


EXTENSIONS: Mapping[str, Usual] = MappingProxyType(_table())
"""The extensions, in lower case, of which something else holds than of most."""


@dataclass(frozen=True)
class UsualOfFiles:
    """``Usual`` of every file of a batch: float32[num_files] each, NaN where no extension is known."""

    excluded: npt.NDArray[np.float32]
    long_lines: npt.NDArray[np.float32]
    few_letters: npt.NDArray[np.float32]
    xml: npt.NDArray[np.float32]
    alpha_frac_asked: npt.NDArray[np.float32]


def usual_of(extension: pa.LargeStringArray) -> UsualOfFiles:
    """Return what is usual for every file; ``extension`` is in lower case, null where it is not known."""
    known = [*EXTENSIONS.values(), Usual()]
    names = pa.array(list(EXTENSIONS), pa.large_string())
    place = pc.index_in(extension, value_set=names, skip_nulls=True).fill_null(len(EXTENSIONS)).to_numpy()
    unknown = extension.is_null().to_numpy(zero_copy_only=False)
    columns = {}
    for field in fields(Usual):
        column = np.array([getattr(usual, field.name) for usual in known], np.float32)[place]
        column[unknown] = np.nan
        columns[field.name] = column
    return UsualOfFiles(**columns)
