"""`python -m nodeunit` is the `nodeunit` command."""

from nodeunit.cli import main

if __name__ == "__main__":
    main()
