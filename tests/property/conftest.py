"""Hypothesis without its limit per example: on a busy machine that fails tests which nothing is wrong with."""

from hypothesis import settings

settings.register_profile("nodeunit", deadline=None)
settings.load_profile("nodeunit")
