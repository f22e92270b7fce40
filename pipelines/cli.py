"""The command line ``dataprep``: build, look at, check and trace mixtures.

Exit status: 0 fine; 1 a check or the build failed; 2 wrong usage or input.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence

import dataprep
from dataprep.errors import DataprepError, MissingExtraError
from pipelines.arguments import Command, add_command, add_scaling, natural, positive, token_count
from pipelines.classifier_command import add_train_classifier


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Errors become one message, not a traceback."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    _set_up_logging(debug=options.debug)
    command: Command = options.command
    try:
        return command(options)
    except DataprepError as error:
        return _report(options, str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("dataprep", "pipelines"):
            raise
        missing = MissingExtraError(module=error.name, extra="pipeline", purpose=f"dataprep {options.name}")
        return _report(options, str(missing), missing.exit_code)
    except KeyboardInterrupt:
        return _report(options, "stopped; the same command continues where it stopped", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        return _report(options, f"{error.filename or 'input/output'}: {error.strerror or error}", 1)
    except Exception as error:
        return _report(options, f"internal error, please report it: {type(error).__name__}: {error}", 1)


def _set_up_logging(*, debug: bool) -> None:
    """Show our own log lines, and those of libraries only where a person wants to look inside."""
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.ERROR, format="%(levelname)s %(name)s: %(message)s"
    )
    if not debug:
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        for name in ("dataprep", "pipelines"):
            logging.getLogger(name).setLevel(logging.INFO)


def _report(options: argparse.Namespace, message: str, status: int) -> int:
    if options.debug and sys.exc_info()[0] is not None:
        logging.getLogger(__name__).exception("traceback")
    print(f"dataprep {options.name}: {message}", file=sys.stderr)
    return status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; what stands behind ``--`` goes to Beam unchanged."""
    own, beam_options = list(arguments), []
    if "--" in own:
        cut = own.index("--")
        own, beam_options = own[:cut], own[cut + 1 :]
    options = _parser().parse_args(own)
    if beam_options and options.name not in ("build", "demo", "mix"):
        _parser().error(f"{options.name} takes no Beam options, got {' '.join(beam_options)}")
    options.beam_options = tuple(beam_options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dataprep", description="From raw corpora to a trainer's batches, by one recipe."
    )
    parser.add_argument("--version", action="version", version=f"dataprep {dataprep.__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    build = add_command(
        commands,
        "build",
        _build,
        "build a mixture: raw corpora in, shards out",
        "dataprep build stablelm-2-1_6b --data-root /data/raw --output /data/built --tokens 20B",
    )
    build.add_argument(
        "mixture", metavar="MIXTURE", help="a mixture's YAML file, or the name of one that ships"
    )
    build.add_argument(
        "--output", required=True, metavar="DIR", help="folder or s3://, gs:// prefix for all artifacts"
    )
    build.add_argument("--data-root", metavar="DIR", help="take DIR/<corpus> in place of the hub")
    add_scaling(build)
    build.add_argument("--stage", metavar="NAME", help="write the shards of this stage only")
    build.add_argument("--vocab", metavar="PATH", help="vocabulary file, or a folder that holds it")
    build.add_argument(
        "--missing",
        choices=("error", "skip"),
        default="error",
        help="what to do when a corpus of the mixture is not there: stop and list them (default), "
        "or leave them out and renormalise the weights",
    )
    build.add_argument(
        "--catalog", metavar="FILE", help="a catalogue of your own corpora, beside the one that ships"
    )
    build.add_argument(
        "--skip-bad-files",
        action="store_true",
        help="count truncated, empty and unreadable files instead of stopping",
    )
    build.add_argument(
        "--workers", type=positive, metavar="N", help="local worker processes (default: one per core)"
    )
    build.add_argument(
        "--exchange",
        choices=("files", "shuffle"),
        help="how tokens reach their bin: spill files on shared storage, or the engine's shuffle",
    )

    plan = add_command(
        commands,
        "plan",
        _plan,
        "print what a build would take from each source",
        "dataprep plan stablelm-2-1_6b --output /data/built --tokens 20B",
    )
    plan.add_argument(
        "mixture", metavar="MIXTURE", help="a mixture's YAML file, or the name of one that ships"
    )
    plan.add_argument("--output", required=True, metavar="DIR", help="output folder of the build")
    add_scaling(plan)
    plan.add_argument("--json", action="store_true", help="print JSON")

    mix = add_command(
        commands,
        "mix",
        _mix,
        "change the weights of a stage in the middle of a run",
        "dataprep mix changed.yaml --continue-from /data/built/shards/my-model/main/0a1b2c --at-row 131072",
    )
    mix.add_argument("mixture", metavar="MIXTURE", help="the mixture of the build, with other weights")
    mix.add_argument(
        "--continue-from", required=True, metavar="SHARDS", help="folder of the shards that the run reads"
    )
    mix.add_argument(
        "--at-row",
        required=True,
        type=positive,
        metavar="N",
        help="first row with the new weights (a multiple of 64); the rows before stay as they are",
    )
    mix.add_argument(
        "--tokens", type=token_count, metavar="N", help="as in the build: scale the mixture to N tokens"
    )
    mix.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="local worker processes (default: 1)"
    )

    stats = add_command(
        commands,
        "stats",
        _stats,
        "print what a build read, dropped, kept and mixed",
        "dataprep stats /data/built",
    )
    stats.add_argument("folder", metavar="DIR", help="output folder of a build")
    stats.add_argument("--mixture", metavar="NAME", help="which build, where the folder holds several")
    stats.add_argument("--json", action="store_true", help="print JSON")

    verify = add_command(
        commands, "verify", _verify, "read everything again and check it", "dataprep verify /data/built"
    )
    verify.add_argument("folder", metavar="DIR", help="output folder of a build, or one artifact's folder")
    verify.add_argument("--json", action="store_true", help="print JSON")

    judge = add_command(
        commands,
        "judge",
        _judge,
        "judge a build's documents by other thresholds, without reading them",
        "dataprep judge /data/built --filters stricter.yaml",
    )
    judge.add_argument("folder", metavar="DIR", help="output folder of a build")
    judge.add_argument("--mixture", metavar="NAME", help="which build, where the folder holds several")
    judge.add_argument(
        "--filters",
        metavar="FILE",
        help="YAML of presets and thresholds by corpus or subset (default: the presets as they are now)",
    )
    judge.add_argument(
        "--changes", metavar="FILE", help="write the documents whose verdict changes to this Parquet file"
    )
    judge.add_argument("--json", action="store_true", help="print JSON")

    add_train_classifier(commands)

    trace = add_command(
        commands,
        "trace",
        _trace,
        "show the raw documents behind a row of the shards",
        "dataprep trace /data/built --row 12345",
    )
    trace.add_argument(
        "folder", metavar="DIR", help="output folder of a build, or the folder of one stage's shards"
    )
    trace.add_argument(
        "--row", required=True, type=natural, metavar="N", help="row number in the stage, from 0"
    )
    trace.add_argument("--stage", metavar="NAME", help="stage of the mixture (default: the first)")
    trace.add_argument("--mixture", metavar="NAME", help="which build, where the folder holds several")
    trace.add_argument("--json", action="store_true", help="print JSON")

    export = add_command(
        commands,
        "export",
        _export,
        "write a stage in the files of another trainer or hub",
        "dataprep export /data/built --format mds --to /data/built-mds",
    )
    export.add_argument(
        "shards", metavar="SHARDS", help="folder of one stage's shards, or output folder of a build"
    )
    export.add_argument(
        "--format",
        required=True,
        choices=("megatron", "mds", "parquet"),
        help="megatron: .bin and .idx for Megatron-LM and GPT-NeoX; mds: MosaicML Streaming; "
        "parquet: the Hugging Face hub",
    )
    export.add_argument("--to", required=True, metavar="DIR", help="folder of the export; must be free")
    export.add_argument("--stage", metavar="NAME", help="stage of the build, where it has several")
    export.add_argument("--mixture", metavar="NAME", help="which build, where the folder holds several")
    export.add_argument("--dtype", metavar="TYPE", help="integer type of the ids (default: what fits them)")
    export.add_argument(
        "--workers", type=positive, metavar="N", help="local worker processes (default: one per core)"
    )
    export.add_argument(
        "--layout",
        choices=("documents", "rows", "both"),
        help="megatron: each source's documents for the trainer to mix, the rows in our order, "
        "or both (default)",
    )
    export.add_argument(
        "--label-masks",
        choices=("auto", "always", "never"),
        help="megatron: labels beside the rows, -100 where no loss is; auto (default): if there are any",
    )
    export.add_argument(
        "--train-batch-size",
        type=positive,
        metavar="N",
        help="megatron: rows of a global batch in GPT-NeoX (default: the run is given as one epoch)",
    )
    export.add_argument(
        "--train-seed", type=natural, metavar="N", help="megatron: seed of the GPT-NeoX run (default: 1234)"
    )

    demo = add_command(
        commands,
        "demo",
        _demo,
        "build a small mixture from what is on this machine",
        "dataprep demo --output demo-output",
    )
    demo.add_argument(
        "--output", default="demo-output", metavar="DIR", help="where to write (default: demo-output)"
    )
    demo.add_argument("--vocab", metavar="PATH", help="a real vocabulary file, or a folder that holds it")
    demo.add_argument(
        "--workers", type=positive, metavar="N", help="local worker processes (default: one per core)"
    )
    return parser


def _build(options: argparse.Namespace) -> int:
    from dataprep.report import summarise
    from pipelines.build import BuildOptions, build

    result = build(
        options.mixture,
        BuildOptions(
            output=options.output,
            data_root=options.data_root,
            tokens=options.tokens,
            stage=options.stage,
            seed=options.seed,
            vocab=options.vocab,
            skip_missing=options.missing == "skip",
            catalog=options.catalog,
            skip_bad_files=options.skip_bad_files,
            workers=options.workers,
            exchange=options.exchange,
            beam_options=options.beam_options,
        ),
        announce=print,
    )
    print(summarise(result.output, result.mixture.name).to_text())
    return 0


def _plan(options: argparse.Namespace) -> int:
    from dataprep.mixture import load_mixture
    from pipelines.build import configured
    from pipelines.planning import preview

    mixture = configured(load_mixture(options.mixture), tokens=options.tokens, seed=options.seed)
    print(preview(mixture, output=options.output, as_json=options.json))
    return 0


def _mix(options: argparse.Namespace) -> int:
    from pipelines.continuation import ContinueOptions, continue_stage

    result = continue_stage(
        options.mixture,
        ContinueOptions(
            shards=options.continue_from,
            at_row=options.at_row,
            tokens=options.tokens,
            workers=options.workers,
            beam_options=options.beam_options,
        ),
        announce=print,
    )
    for stage, folder in result.record["artifacts"]["shards"].items():
        print(f"{stage}: {result.output}/{folder}")
    print(f"{result.output}/builds/{result.mixture.name}.json names them; the run goes on there")
    return 0


def _stats(options: argparse.Namespace) -> int:
    from dataprep.report import summarise

    summary = summarise(options.folder, options.mixture)
    print(json.dumps(summary.to_json(), indent=2, ensure_ascii=False) if options.json else summary.to_text())
    return 0


def _verify(options: argparse.Namespace) -> int:
    from dataprep.verification import verify_output

    report = verify_output(options.folder)
    print(json.dumps(report.to_json(), indent=2) if options.json else report.to_text())
    return 0 if report.ok else 1


def _judge(options: argparse.Namespace) -> int:
    from pipelines.judging import judge_again

    print(
        judge_again(
            options.folder,
            mixture=options.mixture,
            filters=options.filters,
            changes=options.changes,
            as_json=options.json,
        )
    )
    return 0


def _trace(options: argparse.Namespace) -> int:
    from dataprep.tracing import trace_row

    trace = trace_row(options.folder, options.row, stage=options.stage, mixture=options.mixture)
    print(json.dumps(trace.to_json(), indent=2, ensure_ascii=False) if options.json else trace.to_text())
    return 0


def _export(options: argparse.Namespace) -> int:
    from pipelines.export_command import export_and_report

    print(export_and_report(options))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from pipelines.demo import run_demo

    return run_demo(
        options.output, vocab=options.vocab, workers=options.workers, beam_options=options.beam_options
    )


if __name__ == "__main__":
    sys.exit(main())
