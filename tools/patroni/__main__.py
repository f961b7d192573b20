"""`python -m tools.patroni`: the engine, then the image of the cluster's containers."""

import argparse
import sys

from tools.patroni import image
from tools.timescaledb import engine
from tools.timescaledb.say import CannotGoOn, say


def main() -> int:
    argparse.ArgumentParser(prog="python -m tools.patroni", description=__doc__).parse_args()
    try:
        engine.make_available()
        image.make_available()
    except CannotGoOn as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
