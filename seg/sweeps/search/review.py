"""The values of a space, each composed and checked once before anything runs."""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seg.cli.compose import ConfigError, check
from seg.sweeps.search.space import Dimension, Numbers


class Composer:
    """Configurations of jobs, as the jobs will get them.

    config, context: the sweep's, of Hydra. constant: overrides of every job.
    """

    def __init__(
        self, *, config: DictConfig, context: HydraContext, constant: Sequence[str]
    ) -> None:
        self.config = config
        self.context = context
        self.constant = constant

    def compose(self, lines: Sequence[str] = ()) -> tuple[DictConfig, dict[str, str]]:
        """The configuration of a job with these lines besides, and its choices of groups."""
        holder = HydraConfig.instance()
        before = holder.cfg
        try:
            composed = self.context.config_loader.load_sweep_config(
                self.config, [*self.constant, *lines]
            )
            holder.set_config(composed)  # `name` reads the choices from there
            choices = OmegaConf.to_container(composed.hydra.runtime.choices)
            OmegaConf.set_struct(composed, False)
            name = composed.name
            del composed["hydra"]
            composed.name = name
            return composed, choices
        finally:
            holder.cfg = before

    def problems(self, space: Sequence[Dimension]) -> list[str]:
        """What is wrong with the choices of a space and the ends of its intervals, one by one."""
        found = []
        for dimension in space:
            for value in _samples(dimension):
                line = f"{dimension.key}={value}"
                try:
                    check(self.compose([line])[0])
                except ConfigError as error:
                    found += [p if dimension.key in p else f"{line}: {p}" for p in error.problems]
                except (HydraException, OmegaConfBaseException) as error:
                    found.append(f"{line}: {str(error).strip().splitlines()[0]}")
        return list(dict.fromkeys(found))


def _samples(dimension: Dimension) -> Iterator[Any]:
    if isinstance(dimension, Numbers):
        yield from (dimension.low, dimension.high)
    else:
        yield from dimension.values
