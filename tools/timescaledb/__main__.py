"""`python -m tools.timescaledb`: the engine, then the image; `--print` only names the image that is there."""

import argparse
import sys

from nodeunit.demo.container import image_present
from tools.timescaledb import engine, image
from tools.timescaledb.say import CannotGoOn, say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.timescaledb", description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the image that is there and change nothing")
    parser.add_argument("--rebuild", action="store_true", help="build the image even where one is there")
    arguments = parser.parse_args()
    if arguments.print:
        name = image_present()
        if name is None:
            say("no TimescaleDB image is there; `make database` makes one available")
            return 1
        print(name)
        return 0
    try:
        engine.make_available()
        image.make_available(rebuild=arguments.rebuild)
    except CannotGoOn as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
