"""The task await_approval."""
