-- What logs and installed packages use on the disks of units, in the samples of about one heartbeat a minute.

alter table usage add column log_bytes bigint, add column install_bytes bigint;

comment on column usage.log_bytes is 'On disk: the logs of the program, or of all programs of the unit. Null: not looked at.';
comment on column usage.install_bytes is 'On disk: all installed packages of the unit. Null: not looked at, or not a unit.';

alter table usage_hourly add column log_bytes_max bigint, add column install_bytes_max bigint;
