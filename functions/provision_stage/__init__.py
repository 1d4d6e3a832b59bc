"""The task provision_stage."""
