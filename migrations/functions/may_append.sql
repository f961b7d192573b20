-- The types of events that a unit may append by itself. Who holds a row, who is in the fleet and what people do is written
-- by the functions and triggers that decide it. tests/integration/test_attacks_unit.py compares this with the code.

create or replace function may_append(p_type text) returns boolean
language sql immutable parallel safe
as $$
    select p_type in (
        'DeploymentClaimRound', 'DeploymentClaimEligibility', 'DeploymentClaimAttempt', 'DeploymentClaimSkipped',
        'DeploymentUnusable',
        'ProcessStarted', 'ProcessReady', 'ProcessStopping', 'ProcessExited', 'ProcessNotEnded', 'ProcessCrashLooping',
        'ProcessParked', 'ProgramInstalling', 'ProgramInstalled', 'ProgramInstallFailed',
        'UnitListenerDeaf', 'UnitSampleUnusable', 'UnitExhausted', 'UnitRecovered', 'UnitSupervisorSilent'
    )
$$;
