"""The same bytes on another runner and on an object store, and options that mean something."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from dataprep.loader import open_stream
from pipelines.cli import main

pytestmark = [pytest.mark.corpus, pytest.mark.vocab]

MIXTURE = """
name: small
tokenizer: arcade100k
seed: 1
sources:
  prose: {from: redpajama, subsets: [c4, stackexchange]}
  code: {from: starcoderdata, subsets: [rust]}
stages:
  - {name: first, tokens: 200k, sequence_length: 256, sources: {prose: {weight: 3}, code: {weight: 1}}}
  - name: second
    tokens: 50k
    sequence_length: 512
    packing: best_fit
    sources: {prose: {weight: 1}, code: {weight: 1}}
"""


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(MIXTURE)
    return path


@pytest.fixture(scope="module")
def arguments(mixture: Path, corpus: Path, vocab: Path) -> list[str]:
    return [str(mixture), f"--data-root={corpus}", f"--vocab={vocab}"]


@pytest.fixture(scope="module")
def reference(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("reference")
    assert main(["build", *arguments, f"--output={output}", "--workers=1"]) == 0
    return output


def checksums(url: str) -> dict[str, str]:
    fs, root = fsspec.core.url_to_fs(url)
    return {path.removeprefix(root): hashlib.sha256(fs.cat_file(path)).hexdigest() for path in fs.find(root)}


def test_the_portable_runner_gives_the_same_bytes(reference: Path, arguments: list[str], tmp_path: Path):
    beam = ["--", "--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]
    assert main(["build", *arguments, f"--output={tmp_path}", *beam]) == 0
    assert checksums(str(tmp_path)) == checksums(str(reference))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch):
    """An S3 server on loopback with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("built")
    yield "s3://built/out"
    # A connection to a server that is gone would be handed to the next test of this process.
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_an_object_store_gets_the_same_bytes_and_feeds_a_trainer(
    reference: Path, arguments: list[str], bucket: str
):
    assert main(["build", *arguments, f"--output={bucket}", "--workers=1"]) == 0
    assert checksums(bucket) == checksums(str(reference))
    assert main(["verify", bucket]) == 0
    with (
        open_stream(f"{bucket}/builds/small.json").batches(16) as remote,
        open_stream(str(reference / "builds" / "small.json")).batches(16) as local,
    ):
        for _ in range(3):
            assert (next(remote).tokens == next(local).tokens).all()


def test_a_build_says_how_far_it_is(
    reference: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
):
    started = time.monotonic()
    assert main(["build", *arguments, f"--output={reference}", "--workers=1"]) == 0
    said = capsys.readouterr()
    assert "ingest" not in said.err, "what is published was done again"
    assert time.monotonic() - started < 120
    assert "realised" in said.out


def test_a_stage_can_be_built_alone_and_the_next_goes_on_where_it_stops(
    reference: Path, arguments: list[str], tmp_path: Path
):
    assert main(["build", *arguments, f"--output={tmp_path}", "--workers=1", "--stage=second"]) == 0
    alone, together = checksums(str(tmp_path / "shards")), checksums(str(reference / "shards"))
    assert alone == {path: value for path, value in together.items() if path.startswith("/small/second")}


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--stage=frist"], "did you mean 'first'?"),
        (["--tokens=20Q"], "20Q"),
        (["--workers=0"], "must be 1 or more"),
        (["--", "--direct_running_mode=multi_threading"], "loses elements"),
        (["--missing=perhaps"], "invalid choice"),
    ],
)
def test_wrong_usage_is_told_in_one_message(
    arguments: list[str], extra: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    try:
        status = main(["build", *arguments, f"--output={tmp_path}", *extra])
    except SystemExit as stop:  # argparse ends the program itself
        status = int(stop.code or 0)
    message = capsys.readouterr().err
    assert status == 2
    assert said in message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_mixture_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["build", "stablelm-2-1_6", f"--output={tmp_path}"]) == 2
    assert "stablelm-2-1_6b" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["build", "plan", "stats", "verify", "trace", "demo"])
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"dataprep {command}" in capsys.readouterr().out.split("example:")[1]


def test_plan_shows_what_is_wanted_before_and_what_is_there_after(
    mixture: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["plan", str(mixture), f"--output={tmp_path}"]) == 0
    assert "nothing is built yet" in capsys.readouterr().out
    assert main(["plan", str(mixture), f"--output={reference}", "--tokens=100k"]) == 0
    text = capsys.readouterr().out
    assert "available" in text
    assert "prose" in text
