"""Settings of the property tests."""

from hypothesis import settings

# A busy machine is no fault of the code: no deadline for one example.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
