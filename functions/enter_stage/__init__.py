"""The task enter_stage."""
