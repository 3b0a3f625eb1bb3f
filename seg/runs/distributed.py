"""Which of a run's processes this one is, and what has started it."""

import os
from dataclasses import dataclass

from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID")


@dataclass(frozen=True)
class ProcessRank:
    """The number of a process; 0 is the first, which owns the run folder.

    Args:
        address: host name of the first process; None where Lightning starts the others.
        port: MASTER_PORT, the one that torch.distributed uses.
    """

    number: int
    address: str | None = None
    port: int | None = None


def environment(num_nodes: int) -> ClusterEnvironment:
    """What has started this process: torchrun, srun, or a user, once on each node.

    srun counts only where several nodes are asked for: a login shell has the same variables.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if num_nodes > 1 and "NODE_RANK" not in os.environ and SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def detect_rank(*, devices: int | str | list[int], num_nodes: int) -> ProcessRank:
    """The rank of this process. Lightning, which would guess it from the environment, is told.

    Raises:
        ValueError: another number of processes was started than the keys of `trainer` say.
    """
    engine = environment(num_nodes)
    keys = f"trainer.devices={devices} trainer.num_nodes={num_nodes}"
    if isinstance(engine, TorchElasticEnvironment | SLURMEnvironment):
        starter = "torchrun" if isinstance(engine, TorchElasticEnvironment) else "srun"
        started = engine.world_size()
        if isinstance(devices, int) and devices > 0 and devices * num_nodes != started:
            raise ValueError(
                f"{keys}: these are {devices * num_nodes} processes, and {starter} has started "
                f"{started}; give the same number to both"
            )
        rank = ProcessRank(engine.global_rank(), engine.main_address, engine.main_port)
        if started == 1:
            rank = ProcessRank(0)
    elif devices == 1 and num_nodes == 1:
        # a single process is the first, whatever a surrounding job left in the environment
        for key in RANK_VARIABLES:
            os.environ.pop(key, None)
        rank = ProcessRank(0)
    elif num_nodes == 1:
        os.environ.pop("NODE_RANK", None)
        os.environ.pop("GROUP_RANK", None)
        _refuse_srun(keys)
        if os.environ.get("LOCAL_RANK") == "0" and "WORLD_SIZE" not in os.environ:
            del os.environ["LOCAL_RANK"]  # Lightning would wait for others, and start none
        rank = ProcessRank(int(os.environ.get("LOCAL_RANK", "0")))
    else:
        rank = _rank_on_node(keys, devices, num_nodes)
    rank_zero_only.rank = rank.number
    return rank


def _rank_on_node(keys: str, devices: int | str | list[int], num_nodes: int) -> ProcessRank:
    needed = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [key for key in needed if key not in os.environ]
    if missing:
        raise ValueError(
            f"{keys}: {', '.join(missing)} not set; give the same command on every node with "
            f"NODE_RANK=0 to {num_nodes - 1}, and MASTER_ADDR and MASTER_PORT of node 0, or use "
            "srun or torchrun"
        )
    try:
        node, port = int(os.environ["NODE_RANK"]), int(os.environ["MASTER_PORT"])
    except ValueError:
        raise ValueError(f"{keys}: NODE_RANK and MASTER_PORT must be whole numbers") from None
    if not 0 <= node < num_nodes:
        raise ValueError(f"{keys}: NODE_RANK={node} must be 0 to {num_nodes - 1}")
    per_node = devices if isinstance(devices, int) and devices > 0 else 1
    number = node * per_node + int(os.environ.get("LOCAL_RANK", "0"))
    return ProcessRank(number, os.environ["MASTER_ADDR"], port)


def _refuse_srun(keys: str) -> None:
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks > 1 and "LOCAL_RANK" not in os.environ:
        raise ValueError(
            f"{keys}: srun has started {tasks} processes, and each would start its own; "
            "use srun --ntasks=1, or trainer.num_nodes for several nodes"
        )
