"""The function collect_telemetry."""
