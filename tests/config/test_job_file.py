"""A job's file gives the very config that was composed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from runner.config.job_file import read_job, write_jobs
from runner.config.schema import (
    Config,
    IsolationConfig,
    IsolationKind,
    MeasureConfig,
    ModelConfig,
    Padding,
    TechniqueConfig,
    WorkloadConfig,
    plain_config,
)
from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.store.sweep_folder import SweepFolder


def a_config(**workload: Any) -> Config:
    return Config(
        model=ModelConfig(name="m", family="m", shape={"hidden_size": 32}),
        task=TaskConfig(name="t", labels=["no", "yes", "1e5", "null"]),
        workload=WorkloadConfig(**{"name": "w"} | workload),
        technique=TechniqueConfig(name="t", engine="e", steps=[{"step": "prune", "share": 1e-05, "twice": True}]),
        measure=MeasureConfig(name="m", budget_seconds=float("inf")),
        isolation=IsolationConfig(kind=IsolationKind.process),
    )


def plain(cfg: Config) -> dict[str, Any]:
    return plain_config(OmegaConf.structured(cfg))


@pytest.mark.parametrize(
    "workload",
    [{}, {"name": "it's, [odd]: # 🦆 a=b"}, {"name": "1:30"}, {"padding": Padding.bucketed, "bucket": 8}],
    ids=lambda workload: str(workload),
)
def test_what_is_written_is_read(workload: dict[str, Any], tmp_path: Path) -> None:
    folder, cfg = SweepFolder(tmp_path), a_config(**workload)
    write_jobs(folder, {"key": plain(cfg)})
    assert read_job(folder, "key") == cfg


def test_a_file_that_is_as_it_should_be_stays_and_another_is_written_again(tmp_path: Path) -> None:
    folder, configs = SweepFolder(tmp_path), {key: plain(a_config(name=key)) for key in "abc"}
    write_jobs(folder, configs)
    folder.job("b").write_text("model: {")
    folder.job("c").unlink()
    before = folder.job("a").stat()
    write_jobs(folder, configs)
    after = folder.job("a").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [read_job(folder, key).workload.name for key in "abc"] == [*"abc"]


@pytest.mark.parametrize("content", [None, "model: {", "[]", "model: {name: 3}", "threads: many"])
def test_a_file_that_cannot_be_read_says_what_to_do(content: str | None, tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    if content is not None:
        folder.job("key").parent.mkdir()
        folder.job("key").write_text(content)
    with pytest.raises(UserError, match=r"jobs/key\.yaml cannot be read .*Repeat the sweep's command"):
        read_job(folder, "key")
