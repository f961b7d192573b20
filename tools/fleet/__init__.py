"""A simulator of large fleets. Each unit is the real session of a daemon, over real connections; programs are imagined.

scenario   what happens, from a file of `scenarios/`
imagined   the supervisor and the machine of a unit, without a process
unit       one unit: joins, works, leaves, joins again when it was fenced
host       a process with many units, told what to do by lines of JSON
hosts      the processes of a fleet, from the outside: start, freeze, kill
steps      what a scenario can say
figures    what is measured, read from the log
verdict    what must hold at the end

python -m tools.fleet burst --units 100 --rows 1000
"""
