"""The task complete_release."""
