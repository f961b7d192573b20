"""The fault kit: a fleet of real units with real programs, faults by seed, and a checker that reads what came of it.

    program    the program under test: a journal with a beat every 20 ms, and nothing else
    journals   what the journals say: who ran when, who ran twice, who paused
    build      a copy of the package to run units from; deliberately broken ones are made here too
    server     database servers in containers: restart, freeze, failover to a standby
    proxy      the network between one unit and the database: cut, refused, delayed, deaf
    unit       one unit as a process: supervisor, daemon, guard and programs by pid
    fleet      several of those, each behind its own proxy, and whether all is as it should be
    observer   what the database says, over a connection that no fault touches
    kinds      the faults, one at a time
    transactions  a person's open transaction, as a fault
    harms      what can be done to a unit at one moment, and undone
    pairs      a second fault at a stage of a first one
    standing   a harm that lasts for longer than a lease and must not be noticed
    unread     the pipe behind which a unit's log is read, or not
    failovers  a server that forgets, or is replaced while it lives on
    patroni    a cluster that is switched over, killed, isolated
    load       rows that come and go meanwhile
    grounds    the database of a fleet in trials of a kind: a server, a pair, a cluster
    catalogue  all of them by name
    trial      one fault from a settled fleet to a settled fleet, and what it cost
    summary    the table

`python -m tools.faults --help` says how to run it. It must run as a user who may signal the processes it starts, on a
machine with a Docker engine and the TimescaleDB image (`make database`), or against a given database without the
kinds that harm the server.
"""
