"""The sandbox that a service's own tests run in."""
