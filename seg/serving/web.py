"""The page over HTTP: Werkzeug's requests to a `Gallery`, and its answers."""

import json
import socket
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np

from seg.data.errors import DataError
from seg.report.pages import render
from seg.serving import pictures
from seg.serving.gallery import Entry, Gallery, Threshold, zipped

LOCAL = ("127.0.0.1", "localhost", "::1")
HEADERS = {  # the page asks no other host for anything
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src 'self' blob:",
    "Cache-Control": "no-store",
}


def refuse_without_werkzeug() -> None:
    """Raises ImportError, with what to install, where Werkzeug is not there."""
    if find_spec("werkzeug") is None:
        raise ImportError("seg.demo needs werkzeug; pip install 'seg-med[demo]'")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Args:
        port: 0 for one that is free.

    Raises:
        OSError: another program listens there, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        text = f"host={host} port={port}: {reason}; give another, or port=0 for a free one"
        raise OSError(text) from None


def serve(gallery: Gallery, listening: socket.socket, title: dict[str, Any]) -> None:
    """Answer requests until Ctrl-C."""
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - an extra

    class Quiet(WSGIRequestHandler):
        def log_request(self, *_: object) -> None:
            """No line for each request."""

    host, port = listening.getsockname()[:2]
    answer = application(gallery, title, hosts=LOCAL if host in LOCAL else None)
    options = {"threaded": True, "request_handler": Quiet, "fd": listening.fileno()}
    make_server(host, port, answer, **options).serve_forever()  # which returns at Ctrl-C


def application(
    gallery: Gallery, title: dict[str, Any], *, hosts: Iterable[str] | None
) -> Callable[..., Any]:
    """The WSGI application.

    Args:
        title: of the page: `name`, `lines`.
        hosts: by which the page may be asked for, so that no other website can have a browser
            ask in its own name; None for any.
    """
    from werkzeug.exceptions import HTTPException, NotFound  # noqa: PLC0415
    from werkzeug.routing import Map, Rule  # noqa: PLC0415
    from werkzeug.wrappers import Request, Response  # noqa: PLC0415

    class Asked(Request):
        trusted_hosts = None if hosts is None else list(hosts)

    views = View(gallery, title)
    urls = Map([
        Rule("/", endpoint="page"),
        Rule("/images", endpoint="add", methods=["POST"]),
        Rule("/images/<int:number>/<int:index>", endpoint="show"),
        Rule("/images/<int:number>/<int:index>.png", endpoint="image"),
        Rule("/images/<int:number>/<int:index>/<int:plane>.png", endpoint="probabilities"),
        Rule("/images/<int:number>/masks", endpoint="masks"),
        Rule("/predictions.csv", endpoint="table"),
        Rule("/predictions.zip", endpoint="archive"),
    ])  # fmt: skip

    @Asked.application
    def answer(request: Request) -> Response:
        try:
            _ = request.host  # which raises where it is not trusted
            name, values = urls.bind_to_environ(request.environ).match()
            content, kind, *saved = getattr(views, name)(request, **values)
        except DataError as error:
            content, kind, *saved = json.dumps({"error": str(error)}), "application/json"
        except (IndexError, ValueError) as error:
            return NotFound(str(error)).get_response()
        except HTTPException as error:
            return error.get_response()
        headers = dict(HEADERS)
        response = Response(content, mimetype=kind, headers=headers)
        if saved:
            response.headers.set("Content-Disposition", "attachment", filename=saved[0])
        return response

    return answer


class View:
    """What each address answers: (content, type), and the name of a file that is saved."""

    def __init__(self, gallery: Gallery, title: dict[str, Any]) -> None:
        self.gallery, self.title = gallery, title

    def page(self, _: Any) -> tuple[str, ...]:
        """The page itself."""
        model = self.gallery.model
        shades = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in self.gallery.writer.colours]
        about = {
            "classes": [
                {"name": n, "colour": c} for n, c in zip(model.classes, shades, strict=True)
            ],
            "overlap": model.overlap,
            "thresholds": [] if model.likeliest else np.atleast_1d(model.threshold).tolist(),
        }
        if model.overlap and len(about["thresholds"]) == 1:
            about["thresholds"] *= len(model.classes)
        return render("demo.html", **self.title, about=about), "text/html"

    def add(self, request: Any) -> tuple[str, ...]:
        """Takes files; answers what became of each."""
        files = {one.filename: one.read() for one in request.files.getlist("files")}
        numbers = self.gallery.add(files)
        entries = [self.gallery.entries[number] for number in numbers]
        return _json([
            {"number": number, "name": one.name, "error": one.error, "pictures": len(one.pictures)}
            for number, one in zip(numbers, entries, strict=True)
        ])  # fmt: skip

    def show(self, request: Any, number: int, index: int) -> tuple[str, ...]:
        """Outlines and measurements of a picture at a threshold."""
        entry, threshold = self._entry(number, index), _threshold(request)
        row = self.gallery.row(entry, index, threshold)
        _, done = self.gallery.segmentation(entry, index, threshold)
        names = self.gallery.model.classes
        return _json({
            "height": row["height"],
            "width": row["width"],
            "outlines": pictures.outlines(done),
            "confidence": row["foreground_confidence"],
            "remarks": pictures.remarks(row),
            "classes": [
                {
                    "pixels": row[f"{name}_pixels"],
                    "mm2": row[f"{name}_mm2"],
                    "regions": row[f"{name}_components"],
                    "confidence": row[f"{name}_mask_confidence"],
                }
                for name in names
            ],
        })  # fmt: skip

    def image(self, _: Any, number: int, index: int) -> tuple[bytes, str]:
        """A picture's pixels."""
        read, _done = self.gallery.segmentation(self._entry(number, index), index)
        return pictures.image_png(read), "image/png"

    def probabilities(self, _: Any, number: int, index: int, plane: int) -> tuple[bytes, str]:
        """The probability of class `plane`, from 0."""
        _read, done = self.gallery.segmentation(self._entry(number, index), index)
        probs = done.probs[plane + self.gallery.model.likeliest]
        return pictures.probability_png(probs), "image/png"

    def masks(self, request: Any, number: int) -> tuple[bytes, ...]:
        """The mask of an image; a ZIP where it has several files."""
        entry = self._entry(number, 0)
        files = self.gallery.masks(entry, _threshold(request))
        if len(files) == 1:
            [(name, data)] = files.items()
            return data, "application/octet-stream", name.rpartition("/")[2]
        return zipped(files), "application/zip", f"{entry.name}.zip"

    def table(self, request: Any) -> tuple[str, ...]:
        """Measurements of all pictures."""
        return self.gallery.table(_threshold(request)), "text/csv", "predictions.csv"

    def archive(self, request: Any) -> tuple[bytes, ...]:
        """All masks and measurements."""
        return self.gallery.archive(_threshold(request)), "application/zip", "predictions.zip"

    def _entry(self, number: int, index: int) -> Entry:
        entry = self.gallery.entries[number]
        entry.pictures[index]  # noqa: B018 - raises IndexError, which becomes 404
        return entry


def _threshold(request: Any) -> Threshold:
    """`?threshold=0.4`, or `0.4,0.6` for each class."""
    given = [float(value) for value in request.args.get("threshold", "").split(",") if value]
    return None if not given else given[0] if len(given) == 1 else given


def _json(content: Any) -> tuple[str, str]:
    return json.dumps(content), "application/json"
