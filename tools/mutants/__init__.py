"""Mutation testing of the pure core: `make mutants`.

Small changes are made to `nodeunit/domain`, one at a time (`mutations`), and the unit and property tests that are about
the domain alone must notice each (`run`). A change that no test notices is a survivor. Survivors that change nothing
that anybody could see are listed with the reason in `equivalent.toml`, which is checked too: a listed mutant that is
noticed, or that no longer exists, is an error like a survivor that is not listed.

Why not a tool from PyPI: mutmut 3.8 mutates the bodies of undecorated functions only, so the flags of structs, default
values, constants, tables and properties stay as they are. cosmic-ray 8.7 mutates those, but also the `|` of every type
in ten ways (1,410 mutants of this package), and starts a new interpreter that runs one fixed test command for each.
Here a mutant is a fork of a process that has imported pytest and hypothesis already, and it runs only the test files
that execute the changed statement.
"""
