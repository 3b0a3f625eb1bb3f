"""Build what a node of the configuration describes, with errors that are the class's own."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate


def make(node: Any, **more: Any) -> Any:
    """What a node of the configuration describes, with plain lists and dicts.

    Raises:
        ValueError, OSError, ImportError: as the class raised it, where Hydra raises an error of its
            own; a message that names no key gets that of the node.
    """
    try:
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        cause, key = error.__cause__, str(error).partition("full_key: ")[2].strip()
        if not isinstance(cause, ValueError | OSError | ImportError):
            raise
        if key and isinstance(cause, ValueError) and f"{key.partition('.')[0]}." not in str(cause):
            raise ValueError(f"{key}: {cause}") from cause
        raise cause from None
