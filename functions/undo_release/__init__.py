"""The task undo_release."""
