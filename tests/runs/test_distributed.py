"""Which process is the first, whatever the environment holds."""

import os

import pytest
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment
from pytorch_lightning.utilities import rank_zero_only

from seg.runs import distributed
from seg.runs.distributed import ProcessRank, detect_rank

MASTER = {"MASTER_ADDR": "node0", "MASTER_PORT": "29500"}
SRUN = {
    "SLURM_JOB_ID": "77", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1", "SLURM_PROCID": "3", "SLURM_NODELIST": "gpu[3-4]",
    "SLURM_STEP_NUM_TASKS": "4", "SLURM_JOB_NAME": "train",
}  # fmt: skip
TORCHRUN = {
    **MASTER, "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "0",
    "GROUP_RANK": "1",
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """A function that sets variables; all others of a cluster are removed until the end."""
    kept = dict(os.environ)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    for key in list(os.environ):
        if key.startswith(("SLURM_", "MASTER_", "TORCHELASTIC")) or key in (
            *distributed.RANK_VARIABLES, "WORLD_SIZE",
        ):  # fmt: skip
            del os.environ[key]
    yield os.environ.update
    os.environ.clear()
    os.environ.update(kept)


@pytest.mark.parametrize(
    ("variables", "devices", "num_nodes", "expected"),
    [
        ({}, 1, 1, ProcessRank(0)),
        (
            {"SLURM_PROCID": "3", "RANK": "2", "LOCAL_RANK": "1", "NODE_RANK": "1"},
            1,
            1,
            ProcessRank(0),
        ),
        (SRUN, 1, 1, ProcessRank(0)),  # left in the shell of an interactive job
        ({"SLURM_PROCID": "3", "NODE_RANK": "1"}, 2, 1, ProcessRank(0)),
        ({"LOCAL_RANK": "1"}, 2, 1, ProcessRank(1)),
        ({"NODE_RANK": "0", **MASTER}, 2, 2, ProcessRank(0, "node0", 29500)),
        ({"NODE_RANK": "1", **MASTER}, 2, 2, ProcessRank(2, "node0", 29500)),
        ({"NODE_RANK": "1", **MASTER, **SRUN}, "auto", 2, ProcessRank(1, "node0", 29500)),
        ({"NODE_RANK": "1", "LOCAL_RANK": "1", **MASTER}, 2, 2, ProcessRank(3, "node0", 29500)),
        (SRUN, 2, 2, ProcessRank(3, "gpu3", 15077)),
        (TORCHRUN, 2, 2, ProcessRank(2, "node0", 29500)),
        ({**TORCHRUN, "RANK": "1"}, 4, 1, ProcessRank(1, "node0", 29500)),
        ({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}, 1, 1, ProcessRank(0)),
    ],
)
def test_the_rank_is_known_and_lightning_has_it_too(
    environment, variables: dict, devices: int | str, num_nodes: int, expected: ProcessRank
) -> None:
    environment(variables)
    assert detect_rank(devices=devices, num_nodes=num_nodes) == expected
    assert rank_zero_only.rank == expected.number


@pytest.mark.parametrize(
    ("variables", "devices", "num_nodes", "message"),
    [
        ({}, 2, 2, "num_nodes=2: NODE_RANK, MASTER_ADDR, MASTER_PORT "),
        ({"NODE_RANK": "0"}, 2, 2, "num_nodes=2: MASTER_ADDR, MASTER_PORT "),
        ({"NODE_RANK": "2", **MASTER}, 1, 2, "NODE_RANK=2 .*0 to 1"),
        (
            {"NODE_RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "b"},
            1,
            2,
            "NODE_RANK and MASTER_PORT",
        ),
        (TORCHRUN, 2, 1, "devices=2 .* 2 .*torchrun.* 4"),
        (TORCHRUN, 1, 1, "devices=1 .* 1 .*torchrun.* 4"),
        (SRUN, 4, 2, "devices=4 .* 8 .*srun.* 4"),
        ({"SLURM_STEP_NUM_TASKS": "2"}, 2, 1, "srun --ntasks=1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    environment, variables: dict, devices: int, num_nodes: int, message: str
) -> None:
    environment(variables)
    with pytest.raises(ValueError, match=message):
        detect_rank(devices=devices, num_nodes=num_nodes)


def test_a_node_that_is_named_is_not_taken_for_a_task_of_slurm(environment) -> None:
    environment(SRUN)
    assert isinstance(distributed.environment(2), SLURMEnvironment)
    assert isinstance(distributed.environment(1), LightningEnvironment)
    environment({"NODE_RANK": "1"})
    assert isinstance(distributed.environment(2), LightningEnvironment)
