"""What speaks to PostgreSQL itself: connections, statements by name, notifications, requirements, and the schema.

Nothing here knows what a deployment or a unit is; that is for `store.write` and `store.read`.
"""
