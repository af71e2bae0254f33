"""Settings of every test: property tests draw the same examples each time, so that a check that passes passes again."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
