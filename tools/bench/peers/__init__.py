"""Other libraries, each in an environment of its own below `build/`; the programs here run inside those environments.

They import what nodeunit does not depend on, so nothing else may import them.
"""
