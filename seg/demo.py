"""A page to try a model on images. python -m seg.demo run=RUN"""

from seg.launch import launch

if __name__ == "__main__":  # before the imports, so that help and refusals come at once
    launch("seg.demo.demo", config_name="demo")

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from seg.predict import load_model, log_model
from seg.serving import web
from seg.serving.gallery import Gallery
from seg.training.hardware import choose_hardware

log = logging.getLogger(__name__)


def name_of(members: Sequence[Path]) -> str:
    """The file of a network; of an ensemble their number, and their names in the shared folder."""
    if len(members) == 1:
        return str(members[0])
    shared = Path(os.path.commonpath([path.parent for path in members]))
    names = [str(path.relative_to(shared)) for path in members]
    return f"the mean of {len(members)} networks in {shared}: {', '.join(names)}"


def demo(cfg: DictConfig) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        ImportError: Werkzeug is not installed.
        OSError: the port is taken.
    """
    web.refuse_without_werkzeug()
    with web.listen(cfg.host, cfg.port) as listening:
        hardware = choose_hardware(cfg.device, "32-true")
        model = load_model(cfg, hardware)
        log_model(model, hardware)
        axis = model.axis if cfg.axis is None else cfg.axis
        resized = cfg.scale is None and cfg.tile in ("auto", None)
        title = {"name": name_of(model.members), "device": hardware.accelerator}
        with Gallery(model, axis=axis, resized=resized) as gallery:
            host = f"[{cfg.host}]" if ":" in cfg.host else cfg.host
            port = listening.getsockname()[1]
            log.info("open http://%s:%d in a browser; Ctrl-C ends it", host, port)
            web.serve(gallery, listening, title)
    log.info("stopped")
