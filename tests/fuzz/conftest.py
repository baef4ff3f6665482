"""A few examples with every run of the tests; `poe fuzz` looks for minutes."""

import hypothesis

hypothesis.settings.register_profile("fuzz", print_blob=True, deadline=None)
