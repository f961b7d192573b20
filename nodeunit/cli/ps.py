"""`nodeunit ps`: the same as `nodeunit get deployments`."""

from functools import wraps
from typing import Any

from nodeunit.cli.get import deployments


@wraps(deployments)
def ps(**options: Any) -> None:
    deployments(**options)


ps.__doc__ = """The same as get deployments.

[bold]Example[/bold]: nodeunit ps
"""
