"""Checks of the login and of the migrations."""

from nodeunit.audit.doctor.server import of_error
from nodeunit.domain.finding import Finding
from nodeunit.errors import NotMigrated, SchemaTooNew
from nodeunit.store.postgres.compatibility import refuse_unfit_schema
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import doctor as store


async def login(connection: Connection, *, of_unit: bool) -> list[Finding]:
    """Whether the login has a role of nodeunit, and, for a unit's login, whether it is enrolled."""
    rights = await store.login(connection)
    if not rights.schema_there or rights.owner:
        return []
    if not rights.roles:
        return [
            Finding(
                name="login_without_role",
                severity="error",
                subject=f"login {rights.login}",
                cause="it has none of the roles nodeunit_unit, nodeunit_operator and nodeunit_reader, and may nothing",
                mend=f"nodeunit enroll for a unit; for a person: grant nodeunit_operator to {rights.login}",
            )
        ]
    if not of_unit:
        return []
    if "nodeunit_unit" not in rights.roles:
        return [
            Finding(
                name="login_not_of_unit",
                severity="error",
                subject=f"login {rights.login}",
                cause=f"this machine's unit uses it, and it has only {', '.join(rights.roles)}",
                mend="nodeunit enroll",
            )
        ]
    if await store.login_binding(connection) not in ("none", "unenrolled"):
        return []
    return [
        Finding(
            name="login_not_enrolled",
            severity="error",
            subject=f"login {rights.login}",
            cause="it is not enrolled: no unit can join with it, or it can act for every unit that is not enrolled",
            mend="nodeunit enroll",
        )
    ]


async def migrations(connection: Connection, *, writes: bool) -> list[Finding]:
    """Behind or ahead of this code."""
    try:
        await refuse_unfit_schema(connection, writes=writes)
    except (NotMigrated, SchemaTooNew) as error:
        finding = of_error(error)
        return [finding] if finding else []
    return []
