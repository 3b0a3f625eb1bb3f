"""The page's addresses, asked without a browser."""

import io
import json

import pytest
from werkzeug.test import Client

from seg.serving.web import LOCAL, application, listen
from tests.inference.small import picture
from tests.serving.test_gallery import gallery, png


@pytest.fixture
def shown():
    with gallery(classes=["polyp"]) as one:
        yield one


@pytest.fixture
def client(shown) -> Client:
    return Client(application(shown, {"name": "a <run>", "device": "cpu"}, hosts=LOCAL))


def send(client: Client, **files: bytes) -> list[dict]:
    data = {"files": [(io.BytesIO(data), name) for name, data in files.items()]}
    return client.post("/images", data=data).get_json()


def test_the_page_names_its_model_and_no_other_host(client: Client) -> None:
    page = client.get("/").get_data(as_text=True)
    assert "a &lt;run&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_an_image_is_taken_shown_and_saved(client: Client, shown) -> None:
    [taken] = send(client, **{"a.png": png(picture(30, 40))})
    assert taken == {"number": 0, "name": "a.png", "error": "", "pictures": 1}
    at = client.get("/images/0/0?threshold=0.3").get_json()
    assert (at["width"], at["height"]) == (40, 30)
    assert at["classes"][0]["pixels"] == shown.row(shown.entries[0], 0, 0.3)["polyp_pixels"]
    for path in ("0.png", "0/0.png"):
        assert client.get(f"/images/0/{path}").data.startswith(b"\x89PNG")
    saved = client.get("/images/0/masks?threshold=0.3")
    assert saved.data == shown.masks(shown.entries[0], 0.3)["a.png"]
    assert "a.png" in saved.headers["Content-Disposition"]
    assert client.get("/predictions.csv").text == shown.table()


def test_a_broken_image_is_answered_with_its_reason(client: Client) -> None:
    [taken] = send(client, **{"bad.png": b"no image"})
    answer = json.loads(client.get(f"/images/{taken['number']}/0").data)
    assert answer["error"].startswith("bad.png: ")
    assert client.get("/images/7/0").status_code == 404


def test_another_website_cannot_ask_in_its_own_name(client: Client) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:7860"}).status_code == 200


def test_a_port_that_is_taken_is_refused_by_its_key() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="port="):
        listen("127.0.0.1", first.getsockname()[1])
