"""The tasks: one folder per state, each with a handler of 10 to 30 lines."""
