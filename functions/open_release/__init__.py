"""The task open_release."""
