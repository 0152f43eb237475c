"""The published image: pushed, signed and recorded by one machine, pulled by its digest and checked by another."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import image
import publish
import published
import pytest
from common import SetupError, sha256
from packages import BOX_LOCK
from published import Record

from runner.cli.pinbox import main
from tests.docker.keys import make_key
from tests.docker.registry import free_address, load_image, registry, remove_image

LABELS = {"org.pinbox.lock-sha256": sha256(BOX_LOCK), "org.pinbox.base": f"sha256:{'0' * 64}"}
DIGEST = f"sha256:{'1' * 64}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of their own for the record, its signature and the allowed signers."""
    for name in ("RECORD", "SIGNATURE", "SIGNERS"):
        monkeypatch.setattr(published, name, tmp_path / getattr(published, name).name)
    return tmp_path


@pytest.fixture
def tag() -> Iterator[str]:
    tag = f"pinbox-stand-in:{uuid.uuid4().hex[:12]}"
    yield tag
    remove_image(tag)


def native() -> str:
    return subprocess.check_output(["docker", "version", "--format", "{{.Server.Arch}}"], text=True).strip()


def allow(signers: Path, name: str, key: Path) -> None:
    signers.write_text(f"{name} {key.with_suffix('.pub').read_text()}")


def record(tag: str, repository: str = "host/pinbox", architecture: str = "amd64") -> Record:
    return Record(repository, {tag: {architecture: DIGEST}})


@pytest.mark.docker
def test_what_one_machine_publishes_another_pulls_with_the_same_id(
    tag: str, address: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_key(folder, "key")
    allow(published.SIGNERS, "publisher", key)
    pushed = load_image(tag, native(), LABELS, tag.encode())
    publish.write(publish.publish(tag, f"{address}/group/pinbox", insecure=True), key)
    remove_image(tag)
    assert image.image_id(tag) is None

    assert published.pull(tag, repository=None, signers=None)
    assert image.image_id(tag) == pushed
    written = published.read()
    assert written is not None
    digest = written.images[tag][native()]
    assert "published.json is signed by publisher\n" in (said := capsys.readouterr().out)
    assert f"image: pulling {address}/group/pinbox@{digest}\n" in said


@pytest.mark.docker
def test_the_other_architecture_is_added_to_the_record_and_to_the_index(tag: str, address: str) -> None:
    repository = f"{address}/both/pinbox"
    other = "arm64" if native() == "amd64" else "amd64"
    load_image(tag, other, LABELS, b"other")
    publish.write(publish.publish(tag, repository, insecure=True), None)
    remove_image(tag)
    mine = load_image(tag, native(), LABELS, b"mine")
    publish.write(publish.publish(tag, repository, insecure=True), None)
    remove_image(tag)

    written = published.read()
    assert written is not None
    assert written.images.keys() == {tag}
    assert written.images[tag].keys() == {"amd64", "arm64"}
    by_tag = f"{repository}:{publish.version(tag)}"
    subprocess.run(["docker", "pull", "--quiet", by_tag], check=True, capture_output=True)
    assert image.image_id(by_tag) == mine
    remove_image(by_tag)


@pytest.mark.docker
def test_the_image_keeps_no_other_names(tag: str, address: str) -> None:
    load_image(tag, native(), LABELS, b"names")
    publish.publish(tag, f"{address}/names/pinbox", insecure=True)
    assert published.inspect(tag, "{{json .RepoTags}}") == f'["{tag}"]'


@pytest.mark.docker
def test_a_mirror_gives_it_by_the_same_digest(tag: str, address: str) -> None:
    pushed = load_image(tag, native(), LABELS, b"mirrored")
    mirror = f"{address}/mirror/pinbox"
    publish.write(publish.publish(tag, mirror, insecure=True)._replace(repository=f"{free_address()}/gone"), None)
    remove_image(tag)
    assert published.pull(tag, repository=mirror, signers=None)
    assert image.image_id(tag) == pushed


@pytest.mark.docker
@pytest.mark.parametrize("answers", [True, False])
def test_where_no_registry_gives_it_one_line_says_why(
    answers: bool, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    host = request.getfixturevalue("address") if answers else free_address()
    publish.write(record("pinbox:absent", f"{host}/pinbox", native()), None)
    assert not published.pull("pinbox:absent", repository=None, signers=None)
    why = "manifest unknown" if answers else "connection refused"
    assert capsys.readouterr().out == (
        f"  image: pulling {host}/pinbox@{DIGEST}\n  image: no registry gives it ({why}): building it here\n"
    )


@pytest.mark.docker
def test_an_image_that_does_not_fit_is_neither_published_nor_taken(
    tag: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_image(tag, native(), LABELS | {"org.pinbox.lock-sha256": "f" * 64}, b"old lock")
    with pytest.raises(SetupError, match=r"not made from the box\.lock here.*'ffff"):
        publish.publish(tag, f"{address}/unfit/pinbox", insecure=True)
    with monkeypatch.context() as patched:
        patched.setattr(published, "check_labels", lambda reference: None)
        publish.write(publish.publish(tag, f"{address}/unfit/pinbox", insecure=True), None)
    remove_image(tag)
    with pytest.raises(SetupError, match=r"not made from the box\.lock here.*'ffff"):
        published.pull(tag, repository=None, signers=None)
    written = published.read()
    assert written is not None
    assert image.image_id(f"{written.repository}@{written.images[tag][native()]}") is None


@pytest.mark.docker
def test_a_push_that_is_refused_says_where(tag: str) -> None:
    load_image(tag, native(), LABELS, b"refused")
    with pytest.raises(SetupError, match=r"(?s)cannot push to .*docker login.*connection refused"):
        publish.publish(tag, f"{free_address()}/pinbox", insecure=True)
    assert published.inspect(tag, "{{json .RepoTags}}") == f'["{tag}"]'
    assert published.read() is None


@pytest.mark.parametrize(
    ("wanted", "architecture", "said"),
    [
        ("pinbox:new", "amd64", "no pinbox:new is published for amd64"),
        ("pinbox:old", "arm64", "no pinbox:old is published for arm64"),
    ],
)
def test_what_is_not_published_is_built(
    wanted: str, architecture: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published, "run", lambda *command, advice: f"{architecture}\n")
    assert not published.pull(wanted, repository=None, signers=None)
    publish.write(record("pinbox:old"), None)
    assert not published.pull(wanted, repository=None, signers=None)
    assert (
        capsys.readouterr().out == f"  image: none is published: building it here\n  image: {said}: building it here\n"
    )


@pytest.mark.parametrize(("pulled", "built"), [(True, []), (False, ["pinbox:x"])])
def test_the_image_is_built_only_if_none_is_pulled(
    pulled: bool, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(image, "engine_answers", lambda: True)
    monkeypatch.setattr(image, "image_id", lambda tag: None)
    monkeypatch.setattr(image, "build", done.append)
    image.provide("pinbox:x", lambda tag: pulled)
    assert done == built


def test_a_signature_counts_for_these_bytes_this_purpose_and_an_allowed_signer(folder: Path) -> None:
    key, stranger = make_key(folder, "key"), make_key(folder, "stranger")
    allow(published.SIGNERS, "publisher", key)
    publish.write(record("pinbox:x"), key)
    content = published.RECORD.read_bytes()
    assert published.verify(content, published.SIGNERS) == "publisher"
    with pytest.raises(SetupError, match=r"(?s)no signer that .*allowed_signers allows has signed.*built here"):
        published.verify(content.replace(b"1111", b"2222"), published.SIGNERS)
    allow(folder / "others", "stranger", stranger)
    with pytest.raises(SetupError, match=r"no signer that .*others allows"):
        published.verify(content, folder / "others")
    signed = published.ssh_keygen("sign", "-n", "another-purpose", "-f", str(key), content=content)
    published.SIGNATURE.write_bytes(signed.stdout)
    with pytest.raises(SetupError, match="no signer that"):
        published.verify(content, published.SIGNERS)


def test_where_signers_are_named_a_record_without_a_signature_is_refused(folder: Path) -> None:
    allow(published.SIGNERS, "publisher", make_key(folder, "key"))
    publish.write(record("pinbox:x"), None)
    with pytest.raises(SetupError, match=r"published\.json is not signed"):
        published.pull("pinbox:x", repository=None, signers=None)


@pytest.mark.docker
def test_what_nobody_allowed_has_signed_is_not_signed_again(tag: str, folder: Path) -> None:
    key = make_key(folder, "key")
    publish.write(record("pinbox:x", architecture="arm64"), make_key(folder, "stranger"))
    allow(published.SIGNERS, "publisher", key)
    load_image(tag, native(), LABELS, b"second")
    with pytest.raises(SetupError, match="no signer that"):
        publish.publish(tag, "host/pinbox", insecure=True)


def test_an_unsigned_record_takes_the_old_signature_away(folder: Path) -> None:
    publish.write(record("pinbox:x"), make_key(folder, "key"))
    assert published.SIGNATURE.exists()
    publish.write(record("pinbox:y"), None)
    assert not published.SIGNATURE.exists()


def test_a_key_that_nobody_would_accept_is_refused_before_anything_is_pushed(folder: Path) -> None:
    key, stranger = make_key(folder, "key"), make_key(folder, "stranger")
    publish.check_key(None)
    publish.check_key(stranger)
    with pytest.raises(SetupError, match=r"cannot sign with .*absent"):
        publish.check_key(folder / "absent")
    allow(published.SIGNERS, "publisher", key)
    publish.check_key(key)
    with pytest.raises(SetupError, match=r"does not name the key .*stranger"):
        publish.check_key(stranger)
    with pytest.raises(SetupError, match="--key FILE"):
        publish.check_key(None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pull", "--repository", "host/Pinbox"], "'host/Pinbox' is not the name of a repository"),
        (["--repository", "host/pinbox"], "--repository and --signers go with --pull"),
        (["--signers", __file__], "--repository and --signers go with --pull"),
        (["--pull", "--signers", "/absent"], "there is no file /absent with the keys"),
    ],
)
def test_pinbox_image_refuses_bad_settings(options: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["image", *options]) == 2
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    "name", ["pinbox", "group/pinbox", "host.example/a/b_c", "127.0.0.1:5000/pinbox", "h-1:80/p.q"]
)
def test_names_of_repositories(name: str) -> None:
    published.check_repository(name)


@pytest.mark.parametrize(
    "name",
    ["", "https://host/pinbox", "host/Pinbox", "host/pinbox:tag", "pinbox:5000", f"host/p@{DIGEST}", "-h/p", "h/p\n"],
)
def test_what_is_no_name_of_a_repository(name: str) -> None:
    with pytest.raises(SetupError, match="not the name of a repository"):
        published.check_repository(name)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"repository": "h/p"}',
        b'{"repository": "--insecure", "images": {}}',
        b'{"repository": "h/p", "images": {"pinbox:x": {"amd64": "latest"}}}',
        b'{"repository": "h/p", "images": {"pinbox:x": ["amd64"]}}',
        b'{"repository": 1, "images": {}}',
    ],
)
def test_a_broken_record_is_an_error_for_people(content: bytes) -> None:
    with pytest.raises(SetupError, match=r"published\.json is not a record .*restore it, or remove it"):
        published.parse(content)
