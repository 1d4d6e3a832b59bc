"""Intake: from an event to a started release."""
