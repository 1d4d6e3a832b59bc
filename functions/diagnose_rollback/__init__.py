"""The task diagnose_rollback."""
