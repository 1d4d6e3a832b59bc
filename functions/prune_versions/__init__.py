"""The task prune_versions."""
