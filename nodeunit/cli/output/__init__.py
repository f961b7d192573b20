"""What the verbs share to show what they found: tables, plots in characters, events as lines, formats for programs."""
