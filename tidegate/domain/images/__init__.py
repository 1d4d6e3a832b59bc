"""Container images of functions: what a Dockerfile of the usual kind says, and what an image consists of."""
