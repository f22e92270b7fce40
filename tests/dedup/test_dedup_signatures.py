"""Signature files hold what the passes need, and say how their documents were signed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dataprep.dedup import DedupConfig, SignatureConfig, sign, signature_schema
from dataprep.dedup.bands import band_keys
from dataprep.dedup.content import content_hashes
from dataprep.dedup.files import read_arrow, write_arrow
from dataprep.dedup.minhash import minhash
from dataprep.dedup.signatures import fixed_lists, read_identity, read_signatures
from dataprep.dedup.urls import url_hashes
from dataprep.errors import ArtifactError, ConfigError

TEXTS = pa.array(["one two three four five six", "kurz", "Größe über alles in der Welt"], pa.large_string())
URLS = pa.array(["http://a.org/1", None, "http://a.org/2"], pa.string())


def signed(*, web: bool = True, config: SignatureConfig | None = None) -> pa.RecordBatch:
    return sign(
        TEXTS,
        url=URLS,
        doc_id=np.array([7, 8, 11], dtype=np.uint64),
        subset=pa.array(["en", "de", "de"]).dictionary_encode(),
        config=config or SignatureConfig(),
        web=web,
    )


def test_a_batch_has_the_schema_and_every_column():
    batch = signed()
    assert batch.schema.equals(signature_schema(SignatureConfig()), check_metadata=True)
    assert batch.column("doc_id").to_pylist() == [7, 8, 11]
    assert batch.column("subset").to_pylist() == ["en", "de", "de"]
    assert batch.column("num_bytes").to_pylist() == [27, 4, 31]
    assert batch.column("num_shingles").to_pylist() == [2, 0, 2]
    upper, lower = content_hashes(TEXTS)
    assert batch.column("content_hi").to_pylist() == upper.tolist()
    assert batch.column("content_lo").to_pylist() == lower.tolist()
    assert batch.column("url_hash").to_pylist() == url_hashes(URLS).tolist()
    values = minhash(TEXTS, num_perm=128, ngram=5, seed=1).values
    np.testing.assert_array_equal(fixed_lists(batch.column("signature")), values)
    expected = band_keys(values, num_bands=14, rows_per_band=8)
    np.testing.assert_array_equal(fixed_lists(batch.column("bands")), expected)


def test_only_web_corpora_have_url_hashes():
    assert signed(web=False).column("url_hash").to_pylist() == [0, 0, 0]


def test_an_empty_batch_can_be_signed():
    none = pa.array([], pa.large_string())
    batch = sign(
        none,
        url=None,
        doc_id=np.zeros(0, dtype=np.uint64),
        subset=pa.array([], pa.string()),
        config=SignatureConfig(),
        web=True,
    )
    assert batch.num_rows == 0


def test_a_file_gives_back_the_columns_that_are_asked_for(tmp_path):
    path = str(tmp_path / "part.arrow")
    write_arrow(path, signed())
    table = read_signatures(path, ["doc_id", "bands"], config=DedupConfig())
    assert table.column_names == ["doc_id", "bands"]
    assert fixed_lists(table.column("bands")).shape == (3, 14)


def test_other_bands_than_the_stored_ones_are_recomputed(tmp_path):
    path = str(tmp_path / "part.arrow")
    write_arrow(path, signed())
    table = read_signatures(path, ["bands", "doc_id"], config=DedupConfig(num_bands=25, rows_per_band=5))
    assert table.column_names == ["bands", "doc_id"]
    values = minhash(TEXTS, num_perm=128, ngram=5, seed=1).values
    expected = band_keys(values, num_bands=25, rows_per_band=5)
    np.testing.assert_array_equal(fixed_lists(table.column("bands")), expected)


@pytest.mark.parametrize("changed", [{"num_perm": 256}, {"ngram": 4}, {"seed": 9}])
def test_signatures_that_cannot_be_compared_are_refused(tmp_path, changed):
    path = str(tmp_path / "part.arrow")
    write_arrow(path, signed())
    (name, value) = next(iter(changed.items()))
    with pytest.raises(
        ConfigError, match=rf"signed with {name} .* ask for {value}: .* ingest the corpus again"
    ):
        read_signatures(path, ["doc_id"], config=DedupConfig(**changed))


def test_another_arrow_file_is_no_signature_file(tmp_path):
    path = str(tmp_path / "other.arrow")
    write_arrow(path, pa.record_batch({"doc_id": pa.array([1], pa.uint64())}))
    with pytest.raises(ArtifactError, match="no signature file"):
        read_identity(path)


def test_a_cut_file_and_a_missing_column_are_named(tmp_path):
    path = tmp_path / "part.arrow"
    write_arrow(str(path), signed())
    with pytest.raises(ArtifactError, match=r"part.arrow: has no column 'text'"):
        read_arrow(str(path), columns=["text"])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match=r"part.arrow: no Arrow file"):
        read_arrow(str(path))


def test_lists_of_a_slice_are_those_of_its_rows():
    lists = signed().column("signature")
    np.testing.assert_array_equal(fixed_lists(lists.slice(1, 1)), fixed_lists(lists)[1:2])
