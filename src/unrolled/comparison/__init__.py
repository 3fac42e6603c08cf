"""Which kind of model to choose, and why."""
