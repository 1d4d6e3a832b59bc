"""CompareBranches: pushes that nobody told of."""
