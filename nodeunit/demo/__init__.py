"""What `nodeunit demo` needs beyond the fleet itself: a database, units, programs and a live view.

    embedded, container   the database: a given one, TimescaleDB in a container, or a server from a wheel
    fleet, program        real units as processes, and the program that their deployments run; server.js is the same
    package               what that program comes in, and the demo's own registry that serves it, made of
                          npm_package, python_package, static_server
    children, view        whether the programs are really up, and the live view meanwhile

`container` and this file import the standard library only: `tools.timescaledb` uses them before anything is installed.
"""
