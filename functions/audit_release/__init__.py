"""The task audit_release."""
