"""The image of the cluster's containers: that of TimescaleDB, with Patroni and etcd."""

from nodeunit.demo import container
from tools.timescaledb import image
from tools.timescaledb.say import CannotGoOn, say

NAME = "nodeunit/patroni:pg17"
PACKAGES = (*image.PACKAGES, "patroni", "etcd-server")


def is_present() -> bool:
    """Whether the engine has it, made from what this checkout describes."""
    return container.made_from(NAME) == image.checksum(PACKAGES)


def usable() -> str:
    """Its name. Raises CannotGoOn when it is not there."""
    if not is_present():
        raise CannotGoOn(f"The image {NAME} is not there: `make cluster` makes it available.")
    return NAME


def make_available() -> None:
    """Builds it where it is missing. Raises CannotGoOn, saying what is missing."""
    if is_present():
        say(f"the image {NAME} is there")
    else:
        image.build(NAME, PACKAGES)
