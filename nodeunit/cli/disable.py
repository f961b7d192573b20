"""`nodeunit disable`: stop the programs of rows, which stay."""

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import change, setting
from nodeunit.cli.rows.selection import All, Labels, Names


def disable(names: Names = None, database: Database = "", labels: Labels = None, everything: All = False) -> None:
    """Stop the programs of rows. The rows stay, with the units that hold them.

    [bold]Example[/bold]: nodeunit disable clock
    """
    change(given(database), names, labels, everything, setting({"enabled": False}), "disabled")
