"""The commands that repeat a run, and go on from it."""

import shlex
from pathlib import Path


def commands(run: Path | str) -> dict[str, str]:
    """What for, and the command. run: the folder, or a word that stands for it."""
    at = shlex.quote(str(run))
    given = _key("run", run)
    return {
        "train it again": f"python -m seg.train --config-path {at} --config-name config",
        "score it at the masks' own size": f"python -m seg.evaluate {given} protocol=all",
        "segment images": f"python -m seg.predict {given} input=IMAGES output=MASKS",
        "export it": f"python -m seg.export {given} format=onnx",
        "compare it with others": f"python -m seg.compare {_key('runs', f'[{run},OTHER_RUN]')}",
    }


def _key(name: str, value: Path | str) -> str:
    return shlex.quote(f"{name}={value}")
