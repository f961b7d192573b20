"""`nodeunit schema`: what -o json prints, as JSON Schema."""

from typing import Annotated

import typer

from nodeunit.cli.output.render import Format, document, write
from nodeunit.cli.output.schemas import DOCUMENTS, identifier, json_schema


def schema(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of a document; without it all are named.")] = "",
) -> None:
    """Print the JSON Schema of what verbs print with -o json, or list the schemas there are.

    [bold]Example[/bold]: nodeunit schema deployments
    """
    if name:
        document(json_schema(name.removeprefix("nodeunit.").partition("/")[0]), Format.JSON)
        return
    for one in DOCUMENTS:
        write(identifier(one))
