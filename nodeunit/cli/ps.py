"""`nodeunit ps`: the same as `nodeunit get deployments`."""

from nodeunit.cli.get import Limit, Watch, deployments
from nodeunit.cli.options import Database, NoHeaders, OutputFormat, SortBy
from nodeunit.cli.output.render import Format
from nodeunit.cli.rows.selection import Labels, Names


def ps(
    names: Names = None,
    database: Database = "",
    labels: Labels = None,
    output: OutputFormat = Format.TABLE,
    no_headers: NoHeaders = False,
    sort_by: SortBy = "",
    limit: Limit = None,
    watch: Watch = False,
) -> None:
    """The same as get deployments.

    [bold]Example[/bold]: nodeunit ps
    """
    deployments(names, database, labels, output, no_headers, sort_by, limit, watch)
