"""What Tidegate knows and decides, as values: no AWS, no clock, no environment."""
