"""What counts as a duplicate: the settings of signatures, passes and clusters."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dataprep.yaml_models import Frozen

SIGNATURE_VERSION = 1
"""Version of word rule, shingle hash, content hash and URL hash together: whoever changes one of
them raises it, because signatures of different versions cannot be compared."""

# Source: FineWeb's choice (datatrove, defaults of MinhashConfig).
DEFAULT_NUM_BANDS = 14
DEFAULT_ROWS_PER_BAND = 8


class SignatureConfig(Frozen):
    """How documents are signed. A document table depends on this and on no other setting."""

    num_perm: int = Field(default=128, ge=16, le=1024)
    """Permutations, i.e. uint32 values of a signature. The estimate of a similarity s has the
    standard deviation ``sqrt(s * (1 - s) / num_perm)``: 0.038 at s = 0.75 with 128."""
    ngram: int = Field(default=5, ge=1, le=32)
    """Words in a shingle. Source: FineWeb and RefinedWeb both use 5-grams of words."""
    seed: int = Field(default=1, ge=0, le=0xFFFFFFFF)
    """Seed of the permutations; 1 is datasketch's default."""

    def signing_identity(self) -> dict[str, Any]:
        """Return what two signatures must have in common to be compared, as JSON values."""
        return {
            "signature_version": SIGNATURE_VERSION,
            "num_perm": self.num_perm,
            "ngram": self.ngram,
            "seed": self.seed,
        }

    @property
    def stored_bands(self) -> tuple[int, int]:
        """Number of bands, and values in each, whose keys signature files hold.

        It is the default of ``DedupConfig`` where the signature is long enough. The keys of
        other bands are recomputed from the signatures by the mixture that wants them.
        """
        return min(DEFAULT_NUM_BANDS, self.num_perm // DEFAULT_ROWS_PER_BAND), DEFAULT_ROWS_PER_BAND


class DedupConfig(SignatureConfig):
    """How duplicates are found and closed to clusters, and how documents are signed for it.

    The search for near-duplicates first finds candidates, documents that agree in all values of
    one band. Two documents of Jaccard similarity s become candidates with the probability
    ``1 - (1 - s**rows_per_band)**num_bands``: with 14 bands of 8 values that is 0.77 at
    s = 0.75, 0.92 at 0.8 and 0.9996 at 0.9.
    """

    num_bands: int = Field(default=DEFAULT_NUM_BANDS, ge=1, le=256)
    rows_per_band: int = Field(default=DEFAULT_ROWS_PER_BAND, ge=1, le=64)
    """Signature values in a band."""
    threshold: float = Field(default=0.75, gt=0.0, le=1.0)
    """Least similarity of two documents that count as near-duplicates."""
    verify: Literal["signature", "exact"] = "signature"
    """How candidates are verified: by the estimate from their whole signatures, which lets a
    candidate of similarity 0.5 pass once in six million times (88 or more of the 120 values
    outside its shared band), or by their exact sets of shingles, which reads their texts again."""
    url: bool = True
    """Whether two documents of web corpora with the same normalised URL are duplicates."""
    max_group_members: int = Field(default=1 << 16, ge=2)
    """Documents that share one band key are verified in groups of at most so many, which share
    their first member: memory stays bounded whatever the corpus repeats."""
    max_edges_one_task: int = Field(default=1 << 23, ge=1)
    """Up to so many edges one task closes the clusters in memory (measured: 130 bytes an edge, so
    1 GiB at the default); above, rounds of large-star and small-star do."""
    clusters: Literal["auto", "union_find", "star"] = "auto"
    """Algorithm that closes the clusters; ``auto`` obeys ``max_edges_one_task``. All give the
    same clusters."""

    @property
    def signatures(self) -> SignatureConfig:
        """How documents are signed for this configuration."""
        return SignatureConfig(num_perm=self.num_perm, ngram=self.ngram, seed=self.seed)

    @model_validator(mode="after")
    def _bands_fit_the_signature(self) -> DedupConfig:
        used = self.num_bands * self.rows_per_band
        if used > self.num_perm:
            raise ValueError(
                f"num_bands * rows_per_band = {self.num_bands} * {self.rows_per_band} = {used} values of a "
                f"signature, but num_perm is {self.num_perm}: take fewer bands or rows, or more num_perm"
            )
        return self
