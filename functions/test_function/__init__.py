"""TestFunction: the service's own tests."""
