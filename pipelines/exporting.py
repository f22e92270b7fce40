"""Export: a stage as files for other trainers; one task writes one part, and a killed run continues."""

from __future__ import annotations

from dataprep import storage
from dataprep.export import Exported, Exporter, Phase, Results, run_export, write_part
from pipelines.engine import Engine, Task, run_tasks


def export(exporter: Exporter, to: str, *, engine: Engine) -> Exported:
    """Write and publish an export, unless it is published already.

    Args:
        exporter: what to write, and how.
        to: folder of the export.
        engine: where the parts are written.

    Raises:
        ConfigError: the folder is not free.
        ArtifactError: what is read is damaged, or what was written does not add up.
    """

    def run_phase(phase: Phase, done_folder: str) -> Results:
        tasks = [
            Task(
                name=part.name,
                done_path=storage.join(done_folder, f"{part.name}.json"),
                payload=part,
                size_bytes=part.size_bytes,
            )
            for part in phase.parts
        ]
        return run_tasks(phase.label, tasks, write_part, engine=engine)

    return run_export(exporter, to, run_phase=run_phase)
