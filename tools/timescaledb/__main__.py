"""`python -m tools.timescaledb`: the engine, then the image; `--print` only names the image that is there."""

import argparse
import sys

from tools.timescaledb import engine, image
from tools.timescaledb.say import CannotGoOn, say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.timescaledb", description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the image that is there and change nothing")
    parser.add_argument("--rebuild", action="store_true", help="build the image even where one is there")
    arguments = parser.parse_args()
    try:
        if arguments.print:
            print(image.usable())
        else:
            engine.make_available()
            image.make_available(rebuild=arguments.rebuild)
    except CannotGoOn as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
