"""The TimescaleDB image is known by the checksum in its label, not by its name."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.errors import DockerException

from nodeunit.demo import container
from nodeunit.demo.container import MADE_FROM, UPSTREAM_IMAGE, image_present, made_from
from tests.support.timescale import timescale_server
from tools.timescaledb import image
from tools.timescaledb.say import CannotGoOn

pytestmark = pytest.mark.container

MakeImage = Callable[[str], str]


@pytest.fixture
def make_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeImage]:
    """`make_image(label)`: a real image of one file, which stands for the built one; upstream's is nowhere."""
    name = f"nodeunit/test-image:{secrets.token_hex(6)}"
    (tmp_path / "file").touch()

    def make(label: str) -> str:
        change = ["--change", f"LABEL {MADE_FROM}={label}"] if label else []
        archive = subprocess.run(["tar", "-C", tmp_path, "-c", "file"], check=True, capture_output=True).stdout
        subprocess.run(["docker", "import", *change, "-", name], input=archive, check=True, capture_output=True)
        return name

    monkeypatch.setattr(container, "BUILT_IMAGE", name)
    monkeypatch.setattr(container, "UPSTREAM_IMAGE", "nodeunit/test-image:nowhere")
    yield make
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={name}"], check=True, capture_output=True, text=True
    )
    for identifier in listed.stdout.split():
        subprocess.run(["docker", "rm", "--force", identifier], check=True, capture_output=True)
    subprocess.run(["docker", "rmi", "--force", name], check=False, capture_output=True)


def test_there_is_no_image(make_image: MakeImage) -> None:
    assert made_from(container.BUILT_IMAGE) is None
    assert image_present() is None
    with pytest.raises(CannotGoOn, match=r"^No TimescaleDB image is there: `make database`"):
        image.usable()


def test_somebody_elses_image_is_not_believed_by_its_name(make_image: MakeImage) -> None:
    name = make_image("")
    assert made_from(name) == ""
    assert image_present() is None
    refusal = f"^The image {name} was not made from what this checkout describes: `make database` makes it anew.$"
    with pytest.raises(CannotGoOn, match=refusal):
        image.usable()
    with pytest.raises(CannotGoOn, match=refusal), timescale_server():
        pass


def test_an_image_of_another_checkout_does_for_the_demo_and_not_for_the_tests(make_image: MakeImage) -> None:
    name = make_image("0123")
    assert image_present() == name
    with pytest.raises(CannotGoOn, match="was not made from what this checkout describes"):
        image.usable()


def test_an_image_that_runs_no_server_is_a_failure_and_no_wait(make_image: MakeImage) -> None:
    name = make_image(image.checksum())
    assert image.usable() == name
    with pytest.raises(DockerException, match="postgres"), timescale_server():
        pass


def test_what_is_built_is_believed(make_image: MakeImage, tmp_path: Path) -> None:
    image.import_folder(tmp_path, container.BUILT_IMAGE)
    assert image.usable() == container.BUILT_IMAGE
    assert image.make_available() == container.BUILT_IMAGE


def test_the_checksum_is_that_of_all_that_goes_into_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = tmp_path / "entry.sh"
    entry.write_text(image.ENTRY.read_text() + "\n")
    seen = {image.checksum()}
    for name, other in (
        ("RELEASE", "sid"),
        ("PACKAGES", (*image.PACKAGES, "locales")),
        ("SUPERFLUOUS", image.SUPERFLUOUS[1:]),
        ("CONFIGURATION", image.CONFIGURATION[1:]),
        ("ENTRY", entry),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(image, name, other)
            seen.add(image.checksum())
    assert len(seen) == 6


def test_the_image_of_this_run_is_the_built_or_the_pinned_one() -> None:
    assert image.usable() in (container.BUILT_IMAGE, UPSTREAM_IMAGE)
