"""Mutation testing of the pure core: `make mutants`.

Small changes are made to `nodeunit/domain`, one at a time (`mutations`), and the unit and property tests that are about
the domain alone must notice each (`run`). A change that no test notices is a survivor. Survivors that change nothing
that anybody could see are listed with the reason in `equivalent.toml`, which is checked too: a listed mutant that is
noticed, or that no longer exists, is an error like a survivor that is not listed.

Why not a tool from PyPI, tried in July 2026. mutmut 3 mutates the bodies of undecorated functions only, so the flags of
structs, default values, constants, tables and properties stay as they are: about half of this package. cosmic-ray
mutates all of that, but also the `|` of every type in ten ways, and starts a new interpreter that runs all tests for
each of 1,400 mutants, which takes the better part of an hour. Here a mutant is a fork of a process that has imported
pytest and hypothesis already, and runs only the test files that execute the changed line.
"""
