"""Which of a run's processes this one is, by whoever has started it."""

import os
from dataclasses import dataclass

from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only

OF_RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID")


@dataclass(frozen=True)
class ProcessRank:
    """rank: 0 is the first process, which owns the run folder. started: how many processes were
    started from outside, None where Lightning starts them. address, port: where the first one can
    be reached; None for processes that need no telling.
    """

    rank: int
    started: int | None = None
    address: str | None = None
    port: int | None = None


def environment(num_nodes: int) -> ClusterEnvironment:
    """What has started this process: torchrun; srun, where several nodes are asked for, since the
    variables of a login shell look alike; or a user, once on each node.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if num_nodes > 1 and "NODE_RANK" not in os.environ and SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def detect_rank(*, devices: int | str | list[int], num_nodes: int) -> ProcessRank:
    """This process's place; Lightning is told of its rank, which it would guess from the
    environment.

    Raises ValueError where devices and nodes are not what was started.
    """
    engine = environment(num_nodes)
    asked = f"trainer.devices={devices} trainer.num_nodes={num_nodes}"
    if isinstance(engine, TorchElasticEnvironment | SLURMEnvironment):
        by = "torchrun" if isinstance(engine, TorchElasticEnvironment) else "srun"
        started = engine.world_size()
        if isinstance(devices, int) and devices > 0 and devices * num_nodes != started:
            raise ValueError(
                f"{asked}: these are {devices * num_nodes} processes, and {by} has started "
                f"{started}; give the same number to both"
            )
        place = ProcessRank(engine.global_rank(), started, engine.main_address, engine.main_port)
        if started == 1:
            place = ProcessRank(0)
    elif devices == 1 and num_nodes == 1:
        # a single process is the first, whatever a surrounding job left in the environment
        for key in OF_RANKS:
            os.environ.pop(key, None)
        place = ProcessRank(0)
    elif num_nodes == 1:
        os.environ.pop("NODE_RANK", None)
        os.environ.pop("GROUP_RANK", None)
        _refuse_srun(asked)
        if os.environ.get("LOCAL_RANK") == "0" and "WORLD_SIZE" not in os.environ:
            del os.environ["LOCAL_RANK"]  # Lightning would wait for others, and start none
        place = ProcessRank(int(os.environ.get("LOCAL_RANK", "0")))
    else:
        place = _on_a_node(asked, devices, num_nodes)
    rank_zero_only.rank = place.rank
    return place


def _on_a_node(asked: str, devices: int | str | list[int], num_nodes: int) -> ProcessRank:
    wanted = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [key for key in wanted if key not in os.environ]
    if missing:
        raise ValueError(
            f"{asked}: {', '.join(missing)} not set; give the same command on every node with "
            f"NODE_RANK=0 to {num_nodes - 1}, and MASTER_ADDR and MASTER_PORT of node 0, or use "
            "srun or torchrun"
        )
    try:
        node, port = int(os.environ["NODE_RANK"]), int(os.environ["MASTER_PORT"])
    except ValueError:
        raise ValueError(f"{asked}: NODE_RANK and MASTER_PORT must be whole numbers") from None
    if not 0 <= node < num_nodes:
        raise ValueError(f"{asked}: NODE_RANK={node} must be 0 to {num_nodes - 1}")
    each = devices if isinstance(devices, int) and devices > 0 else 1
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return ProcessRank(node * each + local, num_nodes, os.environ["MASTER_ADDR"], port)


def _refuse_srun(asked: str) -> None:
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks > 1 and "LOCAL_RANK" not in os.environ:
        raise ValueError(
            f"{asked}: srun has started {tasks} processes, and each would start its own; "
            "use srun --ntasks=1, or trainer.num_nodes for several nodes"
        )
