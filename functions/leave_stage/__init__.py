"""The task leave_stage."""
