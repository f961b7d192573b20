"""`nodeunit restart`: stop and start the programs of rows where they are."""

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import change
from nodeunit.cli.rows.selection import All, Labels, Names
from nodeunit.store.write import deployments


def restart(names: Names = None, database: Database = "", labels: Labels = None, everything: All = False) -> None:
    """Restart the programs of rows where they are. What is parked is tried again; a tag is resolved anew.

    [bold]Example[/bold]: nodeunit restart clock
    """
    change(given(database), names, labels, everything, deployments.restart, "restart requested")
