"""What a class raises while it is built is shown as its own message."""

import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from seg.cli.compose import compose
from seg.cli.files import build_source
from seg.cli.make import MODEL, OPTIMIZER, make
from seg.data.errors import DataError


def raise_data_error() -> None:
    raise DataError("a.json", "these are polygons", "dataset=labelme")


def raise_value_error() -> None:
    raise ValueError("p must be below 1")


def raise_type_error() -> None:
    raise TypeError("a bug")


def node(function) -> OmegaConf:
    target = f"{__name__}.{function.__name__}"
    return OmegaConf.create({"dataset": {"own": {"_target_": target}}})


def test_the_message_of_a_data_set_is_its_own() -> None:
    with pytest.raises(ValueError, match="^dataset.group") as caught:
        build_source(compose(["dataset=folder", "dataset.root=x", "dataset.group='(a'"]))
    assert "Error in call" not in str(caught.value)


def test_a_message_without_a_key_gets_that_of_its_node() -> None:
    with pytest.raises(ValueError, match=r"^dataset\.own: p must be below 1$"):
        make(node(raise_value_error).dataset.own)
    with pytest.raises(ValueError, match="polygons; dataset=labelme") as caught:
        make(node(raise_data_error).dataset.own)
    assert "Error in call" not in str(caught.value)


def test_keys_of_the_training_are_left_out_and_the_node_stays_as_it_is() -> None:
    for key in sorted(MODEL | OPTIMIZER):
        config = node(raise_value_error)
        config.dataset.own[key] = 1
        OmegaConf.set_struct(config, True)
        with pytest.raises(ValueError, match=r"^dataset\.own: p must be below 1$"):
            make(config.dataset.own)
        assert config.dataset.own[key] == 1


def test_a_mistake_in_the_code_keeps_its_place() -> None:
    with pytest.raises(InstantiationException, match="TypeError"):
        make(node(raise_type_error).dataset.own)
