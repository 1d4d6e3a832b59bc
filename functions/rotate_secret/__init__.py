"""RotateSecret: a new secret for GitHub's webhook."""
