"""The task publish_versions."""
