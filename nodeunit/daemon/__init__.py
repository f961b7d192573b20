"""The daemon decides what this unit claims, starts, stops and releases. Each module has one duty.

    daemon              joins, works, joins again when fenced, and ends
    membership_session  the tasks between a join and the end of that membership, in one `task_group`
    heartbeat           renews the lease, stores samples, learns which units are lost and whether work waits
    scheduler           runs claim rounds when it is notified
    suspicion           leaves a unit out of rounds that should claim and does not answer
    reconciler          compares what should run with what runs: start, stop, restart, park
    live_programs       what the supervisor was asked to start and has not reported as ended
    health              looks at the checks of programs: ready, unhealthy; `health_probe` looks once
    restart_records     what is known of each ended program: when it restarts, or why not; the supervisor keeps it
    process_events      the supervisor's reports as events, each in the log once
    outbox              writes process events in order, without holding up the reconciler
    program_logs        the last lines of a program, for an event
    program_environment variables, secrets and a port that the unit gives a program
    installs            the packages of rows, installed in the background and held to the fleet's locks
    housekeeping        removes packages that nothing uses, and the directories of deleted rows
    offers              what this unit can install for, and its secrets, as other units learn it
    spawn_request       what the supervisor is asked to start for a row, or why it may not start
    supervisor_link     the daemon's end of the socket pair
    drain               releases rows, and leaves
    end_reason          why the daemon must end

The daemon is a child of the supervisor, which is the parent of the programs. So a daemon may crash, be replaced or be
fenced while the programs continue to run: it joins again, asks what runs, and reconciles.

What must not be here: SQL and psycopg (`store`), signals and exit status of programs (`supervisor`), and the rules of
claiming and restarting, which are pure functions (`domain`).
"""
