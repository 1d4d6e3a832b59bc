"""CheckOutSource: from a bundle to a snapshot."""
