"""The task smoke_test."""
