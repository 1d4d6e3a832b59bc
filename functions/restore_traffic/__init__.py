"""The task restore_traffic."""
