"""The task plan_release."""
