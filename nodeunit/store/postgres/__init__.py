"""What speaks to PostgreSQL itself.

    connections    conninfo to connection, pool, and the errors that a refusal becomes
    session        what every session is set to, whatever the database or the role has
    queries        every statement under its name, from the `.sql` files
    listener       notifications to wake-ups
    requirements   what a server and a schema must fulfil before anything relies on them
    compatibility  whether this code and a schema fit together, by numbers
    schema_files   the SQL files of the schema, in order
    migrator       applies them under a running fleet; lock_wait keeps units from queueing behind it

Nothing here knows what a deployment or a unit is, and no event is read or written here: `store.write` and `store.read`
do that.
"""
