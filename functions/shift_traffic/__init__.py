"""The task shift_traffic."""
