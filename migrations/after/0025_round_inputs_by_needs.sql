-- Removes the form of round_inputs that told only rows with a command from those without.

drop function if exists round_inputs(text[], text[], integer);
