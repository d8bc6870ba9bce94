"""Models go to a hub and come back; the hub here is a small one on 127.0.0.1."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hrnet.errors import InputError
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.hub import from_hub
from hrnet.weights.push import model_card, push_to_hub, read_header

constants = pytest.importorskip("huggingface_hub.constants")

API = "/api/models/org/name"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _send_json(handler, answer: object) -> None:
    handler.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def _body(handler) -> bytes:
    return handler.rfile.read(int(handler.headers["Content-Length"]))


def _take_commit(handler) -> None:
    """Keep the files of a commit, and offer them under main."""
    for line in _body(handler).splitlines():
        value = json.loads(line)["value"]
        if "path" in value:
            content = base64.b64decode(value["content"])
            handler.files.files[value["path"]] = content
            _offer(handler.files, f"/org/name/resolve/main/{value['path']}", content)
    url = f"{handler.files.url}/org/name/commit/{COMMIT}"
    _send_json(handler, {"commitUrl": url, "commitOid": COMMIT})


def _offer(server, path: str, content: bytes) -> None:
    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{len(content)}"'}
    server.odd[path] = lambda handler: handler.send(200, content, headers)


def _preupload(handler) -> None:
    files = json.loads(_body(handler))["files"]
    kept = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
    _send_json(handler, {"files": kept})


@pytest.fixture
def hub(server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The few addresses of a hub that a push and a download need."""

    def create(handler) -> None:
        handler.files.created = json.loads(_body(handler))
        _send_json(handler, {"url": f"{server.url}/org/name"})

    def validate(handler) -> None:
        _body(handler)
        _send_json(handler, {})

    server.odd |= {
        "/api/repos/create": create,
        "/api/validate-yaml": validate,
        f"{API}/preupload/main": _preupload,
        f"{API}/commit/main": _take_commit,
    }
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return server


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of ours: its header says what it is."""
    spec = PoseSpec(
        network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=2),
        name="spots",
        input_size=(128, 96),
        skeleton=Skeleton(("red", "green"), edges=((0, 1),)),
    )
    header = {"format": "hrnet", "spec": spec.to_json(), "experiment": '{"data": "/home/me"}'}
    path = tmp_path / "best.safetensors"
    save_file({"head.conv.weight": np.arange(6.0).reshape(2, 3)}, path, header)
    return path


def test_what_is_pushed_comes_back(hub, model: Path) -> None:
    assert push_to_hub(model, "org/name", token="secret", private=True) == f"{hub.url}/org/name"
    assert (hub.created["organization"], hub.created["name"]) == ("org", "name")
    assert hub.created["visibility"] == "private"
    assert dict(hub.seen)["/api/repos/create"]["Authorization"] == "Bearer secret"
    path = from_hub("hf://org/name")
    assert path.suffix == ".safetensors"
    assert path.read_bytes() == model.read_bytes()
    assert load_file(path)["head.conv.weight"].shape == (2, 3)


def test_the_best_of_a_run_folder_is_pushed(hub, model: Path) -> None:
    push_to_hub(model.parent, "org/name", token="secret")
    assert hub.files["model.safetensors"] == model.read_bytes()
    assert hub.created["visibility"] == "public"


def test_the_card_says_what_the_header_says(hub, model: Path) -> None:
    push_to_hub(model, "org/name", token="secret")
    card = hub.files["README.md"].decode()
    assert card == model_card(read_header(model), "org/name")
    assert card.startswith("---\nlibrary_name: hrnet\npipeline_tag: keypoint-detection\n")
    rows = (
        "| variant | small_hrnet_w16 |",
        "| input_size | 128 x 96 |",
        "| keypoints | red, green |",
    )
    for part in (*rows, "# name\n", 'hrnet.load("hf://org/name")'):
        assert part in card
    assert "/home/me" not in card


def test_a_revision_can_be_named(hub) -> None:
    _offer(hub, "/org/name/resolve/v1.0/model.safetensors", b"one")
    assert from_hub("hf://org/name@v1.0").read_bytes() == b"one"


def test_offline_takes_what_was_downloaded(hub, monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(hub, "/org/name/resolve/main/model.safetensors", b"one")
    path, asked = from_hub("hf://org/name"), len(hub.seen)
    monkeypatch.setenv("HRNET_OFFLINE", "1")
    assert from_hub("hf://org/name") == path
    with pytest.raises(InputError, match="is not on this machine and the hub did not give it"):
        from_hub("hf://org/other")
    assert len(hub.seen) == asked


@pytest.mark.parametrize(
    ("status", "code", "match"),
    [
        (404, "RepoNotFound", "there is no hf://org/name on the hub; check the name"),
        (404, "RevisionNotFound", "hf://org/name has no such revision"),
        (404, "EntryNotFound", "hf://org/name holds no model.safetensors"),
        (403, "GatedRepo", "hf://org/name is gated; accept its terms"),
        (418, "", "hf://org/name is not on this machine and the hub did not give it .*418"),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub, status: int, code: str, match: str) -> None:
    path = "/org/name/resolve/main/model.safetensors"
    hub.odd[path] = lambda handler: handler.send(status, b"", {"X-Error-Code": code})
    with pytest.raises(InputError, match=match) as caught:
        from_hub("hf://org/name")
    assert "\n" not in str(caught.value)


def test_a_push_that_is_refused_is_one_line(hub, model: Path) -> None:
    def refuse(handler) -> None:
        _body(handler)
        handler.send(400, b'{"error": "no\\nsuch\\nthing"}', {"Content-Type": "application/json"})

    hub.odd[f"{API}/commit/main"] = refuse
    with pytest.raises(InputError, match="org/name on the hub: ") as caught:
        push_to_hub(model, "org/name", token="secret")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["hf://name", "hf://a/b/c", "hf:///b", "hf://a/..", "hf://a/b c"]
)
def test_names_that_are_none(address: str) -> None:
    with pytest.raises(InputError, match="expected organisation/name of a model"):
        from_hub(address)


def test_an_address_that_is_none() -> None:
    with pytest.raises(InputError, match="expected hf://organisation/name, got org/name"):
        from_hub("org/name")


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0{}", b"\x01\0\0\0\0\0\0\0["]
)
def test_only_files_of_ours_are_pushed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is not a (checkpoint of this program|safetensors file)"):
        push_to_hub(path, "org/name")


def test_without_the_library_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'hrnet\[hub\]'"):
        from_hub("hf://org/name")


def test_the_endpoint_of_the_environment_is_used(hub, tmp_path: Path) -> None:
    _offer(hub, "/org/name/resolve/main/model.safetensors", b"one")
    code = "from hrnet.weights.hub import from_hub; print(from_hub('hf://org/name'))"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code]
    found = subprocess.check_output(command, env=environment, text=True, stderr=subprocess.DEVNULL)
    assert Path(found.strip()).is_relative_to(tmp_path / "home")
    assert Path(found.strip()).read_bytes() == b"one"
