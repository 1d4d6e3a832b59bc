"""The task attest_release."""
