"""BuildFunction: from a snapshot to an artifact."""
