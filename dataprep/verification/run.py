"""Verify an output folder or one artifact: every file read again, every promise checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from dataprep import artifacts, storage
from dataprep.artifacts import Artifact
from dataprep.errors import ConfigError
from dataprep.output import BuildRecord, list_builds, read_build
from dataprep.plan import StagePlan
from dataprep.text.pieces import Pieces
from dataprep.verification.contamination import check_contamination, read_pieces
from dataprep.verification.corpus import CorpusRows, PartRows
from dataprep.verification.document_tables import check_document_table
from dataprep.verification.duplicate_lists import check_duplicates
from dataprep.verification.integrity import damaged_files_of
from dataprep.verification.report import Check, Findings, VerifyReport
from dataprep.verification.samples import RowSample, Text, check_texts, sample_rows, vocabulary_problem
from dataprep.verification.stages import check_fork, check_plan, check_shards
from dataprep.verification.token_stores import check_token_store

SAMPLE_ROWS = 64
"""Rows of each stage that are decoded and compared with their documents' text."""

_NO_DOCUMENTS = np.zeros(0, dtype=np.uint64)


def verify_output(folder: str, *, sample_rows: int = SAMPLE_ROWS, threads: int | None = None) -> VerifyReport:
    """Read everything again and check it.

    Args:
        folder: the output folder of builds (every artifact that a build record names is checked,
            and what they promise each other), or the folder of one artifact.
        sample_rows: rows of each stage that are compared with their documents' text.
        threads: files that are read at the same time; default: one for each core.

    Returns: a report; what is damaged or wrong is a failed check that names the file, never an
        exception.

    Raises:
        ConfigError: the folder is neither an output folder nor an artifact.
    """
    folder = folder.rstrip("/") or "/"
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as executor:
        run = _Run(folder, executor, sample_rows=sample_rows)
        if storage.exists(storage.join(folder, artifacts.MANIFEST_NAME)):
            run.verify_alone(folder)
        else:
            records = list_builds(folder)
            if not records:
                raise ConfigError(
                    f"{folder}: neither an artifact (no {artifacts.MANIFEST_NAME}) nor the output of a "
                    "finished build (no builds/*.json); give the --output of a build, or an artifact's folder"
                )
            run.verify_builds(records)
    return VerifyReport(folder, tuple(run.checks))


class _Run:
    """One verification; artifacts that several builds share are read once."""

    def __init__(self, root: str, executor: Executor, *, sample_rows: int) -> None:
        self._root = root
        self._executor = executor
        self._sample_rows = sample_rows
        self.checks: list[Check] = []
        self._opened: dict[str, Artifact | None] = {}
        self._damaged: dict[str, frozenset[str]] = {}
        self._parts: dict[str, list[PartRows]] = {}

    def verify_alone(self, folder: str) -> None:
        """Check one artifact by itself."""
        artifact = self._open(folder)
        if artifact is None:
            return
        damaged = self._damaged[folder]
        kind = artifact.manifest.kind
        findings = Findings(self._name(folder), _CONTENT.get(kind, "content"))
        if kind == "documents":
            self._documents([folder], {}, wanted=_NO_DOCUMENTS)
        elif kind == "duplicates":
            check_duplicates(artifact, findings, damaged=damaged, corpus=None)
        elif kind == "contamination":
            check_contamination(artifact, findings, damaged=damaged, corpus=None)
        elif kind == "tokens":
            check_token_store(artifact, findings, damaged=damaged, corpus=None, executor=self._executor)
        elif kind == "plan" and not damaged:
            check_plan(artifact, findings, stores={})
        elif kind == "shards":
            check_shards(artifact, findings, damaged=damaged, plan=None, corpus=None, executor=self._executor)
        if kind != "documents":
            self.checks.append(findings.to_check())

    def verify_builds(self, records: list[str]) -> None:
        """Check all artifacts of some builds, and those of each build against each other."""
        builds = [build for build in map(self._read_record, records) if build is not None]
        for folder in dict.fromkeys(folder for build in builds for folder in build.folders):
            self._open(folder)
        samples = [self._samples(build) for build in builds]
        texts: dict[int, Text] = {}
        wanted = [sample.documents for own in samples for sample in own.values()]
        tables = dict.fromkeys(folder for build in builds for folder in build.documents.values())
        self._documents(list(tables), texts, wanted=np.unique(np.concatenate([_NO_DOCUMENTS, *wanted])))
        for build, own in zip(builds, samples, strict=True):
            self._lineage(build)
            corpus = self._corpus_of(build)
            self._duplicates(build, corpus)
            self._contamination(build, corpus)
            stores = self._token_stores(build, corpus)
            plans = self._plans(build, stores)
            self._shards(build, plans, corpus)
            self._texts(build, own, texts, stores)

    def _read_record(self, path: str) -> BuildRecord | None:
        findings = Findings(self._name(path), "record")
        build: BuildRecord | None = None
        with findings.reading(path):
            build = read_build(path)
            findings.count(artifacts=len(build.folders))
        self.checks.append(findings.to_check())
        return build

    def _open(self, folder: str) -> Artifact | None:
        """Open an artifact and compare its files with its manifest, once."""
        if folder in self._opened:
            return self._opened[folder]
        findings = Findings(self._name(folder), "files")
        artifact: Artifact | None = None
        with findings.reading(folder):
            artifact = artifacts.open_artifact(folder)
            self._damaged[folder] = damaged_files_of(artifact, findings, executor=self._executor)
        self._opened[folder] = artifact if folder in self._damaged else None
        self.checks.append(findings.to_check())
        return self._opened[folder]

    def _lineage(self, build: BuildRecord) -> None:
        """Check that every artifact was made from those that the record names, and from no others."""
        findings = Findings(self._name(build.path), "lineage")
        groups = {"documents": build.documents, "tokens": build.tokens}
        made = {f"{kind}/{name}": folder for kind, group in groups.items() for name, folder in group.items()}
        made["duplicates"] = build.duplicates
        if build.contamination is not None:
            made["contamination"] = build.contamination
        derived = dict.fromkeys(build.tokens.values(), made)
        derived |= dict.fromkeys(build.plans.values(), made)
        for stage, folder in build.shards.items():
            derived[folder] = {**made, "plan": build.plans.get(stage, "")}
        for folder, inputs in derived.items():
            artifact = self._opened[folder]
            for name, fingerprint in (artifact.manifest.inputs if artifact else {}).items():
                source = self._opened.get(inputs.get(name, ""))
                if source is None and inputs.get(name) in self._opened:
                    continue  # damaged, which is reported already
                if name == "parent" and artifact is not None:
                    check_fork(artifact, findings, output=build.output)
                    continue
                found = source.manifest.fingerprint[:12] if source else "nothing"
                findings.expect(
                    found, fingerprint[:12], f"{folder}: its input {name}, as the record names it"
                )
                findings.count(inputs=1)
        self.checks.append(findings.to_check())

    def _samples(self, build: BuildRecord) -> dict[str, RowSample]:
        """Choose and read the rows to compare with texts, so that tables are read only once."""
        samples = {}
        for stage, folder in build.shards.items():
            artifact = self._opened[folder]
            if artifact is not None and self._sample_rows:
                with Findings("", "").reading(folder):
                    samples[stage] = sample_rows(artifact, count=self._sample_rows)
        return samples

    def _documents(
        self, folders: list[str], texts: dict[int, Text], *, wanted: npt.NDArray[np.uint64]
    ) -> None:
        """Check document tables, once; put the texts of the wanted documents into ``texts``."""
        for folder in folders:
            artifact = self._opened[folder]
            if artifact is None:
                continue
            findings = Findings(self._name(folder), _CONTENT["documents"])
            with findings.reading(folder):
                self._parts[folder] = check_document_table(
                    artifact,
                    findings,
                    damaged=self._damaged[folder],
                    wanted_texts=wanted,
                    texts=texts,
                    executor=self._executor,
                )
            self.checks.append(findings.to_check())

    def _corpus_of(self, build: BuildRecord) -> CorpusRows | None:
        """Return the documents of a build, unless some could not be read."""
        folders = list(build.documents.values())
        if any(self._opened[folder] is None or self._damaged[folder] for folder in folders):
            return None
        sources = {
            name: (source["from"], None if source["subsets"] == "all" else frozenset(source["subsets"]))
            for name, source in build.mixture_config["sources"].items()
        }
        return CorpusRows((part for folder in folders for part in self._parts.get(folder, ())), sources)

    def _duplicates(self, build: BuildRecord, corpus: CorpusRows | None) -> None:
        artifact = self._opened[build.duplicates]
        if artifact is None:
            return
        findings = Findings(self._name(build.duplicates), _CONTENT["duplicates"])
        check_duplicates(artifact, findings, damaged=self._damaged[build.duplicates], corpus=corpus)
        self.checks.append(findings.to_check())

    def _contamination(self, build: BuildRecord, corpus: CorpusRows | None) -> None:
        artifact = None if build.contamination is None else self._opened[build.contamination]
        if artifact is None:
            return
        findings = Findings(self._name(artifact.folder), _CONTENT["contamination"])
        damaged = self._damaged[artifact.folder]
        check_contamination(artifact, findings, damaged=damaged, corpus=corpus)
        self.checks.append(findings.to_check())

    def _token_stores(self, build: BuildRecord, corpus: CorpusRows | None) -> dict[str, Artifact]:
        stores = {}
        vocabularies = set()
        for source, folder in build.tokens.items():
            artifact = self._opened[folder]
            if artifact is None:
                continue
            stores[source] = artifact
            findings = Findings(self._name(folder), _CONTENT["tokens"])
            with findings.reading(folder):
                recorded = artifact.manifest.details["tokenizer"]
                if recorded["vocabulary"] not in vocabularies:
                    vocabularies.add(recorded["vocabulary"])
                    problem = vocabulary_problem(recorded, output=build.output)
                    if problem is not None:
                        findings.problem(problem)
                check_token_store(
                    artifact,
                    findings,
                    damaged=self._damaged[folder],
                    corpus=corpus,
                    executor=self._executor,
                )
            self.checks.append(findings.to_check())
        return stores

    def _plans(self, build: BuildRecord, stores: Mapping[str, Artifact]) -> dict[str, StagePlan]:
        plans = {}
        for stage, folder in build.plans.items():
            artifact = self._opened[folder]
            if artifact is None or self._damaged[folder]:
                continue
            findings = Findings(self._name(folder), _CONTENT["plan"])
            plan = check_plan(artifact, findings, stores=stores)
            if plan is not None:
                plans[stage] = plan
            self.checks.append(findings.to_check())
        return plans

    def _shards(self, build: BuildRecord, plans: Mapping[str, StagePlan], corpus: CorpusRows | None) -> None:
        for stage, folder in build.shards.items():
            artifact = self._opened[folder]
            if artifact is None:
                continue
            findings = Findings(self._name(folder), _CONTENT["shards"])
            check_shards(
                artifact,
                findings,
                damaged=self._damaged[folder],
                plan=plans.get(stage),
                corpus=corpus,
                executor=self._executor,
            )
            self.checks.append(findings.to_check())

    def _texts(
        self,
        build: BuildRecord,
        samples: Mapping[str, RowSample],
        texts: Mapping[int, Text],
        stores: Mapping[str, Artifact],
    ) -> None:
        for stage, sample in samples.items():
            findings = Findings(self._name(build.shards[stage]), "sampled rows compared with their documents")
            if set(build.tokens) - set(stores):
                findings.problem(f"{build.shards[stage]}: not compared, a token store cannot be read")
            else:
                with findings.reading(build.shards[stage]):
                    pieces = self._pieces(build, sample)
                    check_texts(sample, texts, findings, stores=stores, output=build.output, pieces=pieces)
            self.checks.append(findings.to_check())

    def _pieces(self, build: BuildRecord, sample: RowSample) -> dict[int, Pieces]:
        """Return what stays of the documents in a sample that are cut."""
        artifact = None if build.contamination is None else self._opened[build.contamination]
        return {} if artifact is None else read_pieces(artifact, set(sample.documents.tolist()))

    def _name(self, path: str) -> str:
        return path.removeprefix(self._root).lstrip("/") or path


_CONTENT = {
    "documents": "rows, counts and provenance",
    "duplicates": "removed documents and their survivors",
    "contamination": "documents that hold evaluation items",
    "tokens": "documents, ids and order",
    "plan": "arithmetic",
    "shards": "rows, segments and mixture",
}
