"""`nodeunit enable`: let rows run."""

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import change, setting
from nodeunit.cli.rows.selection import All, Labels, Names


def enable(names: Names = None, database: Database = "", labels: Labels = None, everything: All = False) -> None:
    """Let rows run.

    [bold]Example[/bold]: nodeunit enable clock
    """
    change(given(database), names, labels, everything, setting({"enabled": True}), "enabled")
