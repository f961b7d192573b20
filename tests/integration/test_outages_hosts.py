"""Several hosts in POSTGRES_URI, none of which takes writes at this moment: an outage, not a wrong password."""

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from nodeunit.errors import DatabaseUnreachable
from nodeunit.store.postgres.connections import connect
from tools.faults.server import free_port


async def test_a_failover_under_way_is_no_refused_login(database: str) -> None:
    port = conninfo_to_dict(database)["port"]
    hosts = make_conninfo(
        database, host="127.0.0.1,127.0.0.1", port=f"{free_port()},{port}", target_session_attrs="standby"
    )
    with pytest.raises(DatabaseUnreachable, match="standby"):
        await connect(hosts, "test")
