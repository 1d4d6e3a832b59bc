"""The task verify_recovery."""
