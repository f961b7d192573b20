"""Shows results: tables, plots in characters or as a picture, events as lines, JSON and YAML for programs.

Nothing here reads a database or decides anything.
"""
