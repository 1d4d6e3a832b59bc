"""Known vulnerabilities of what a release is made of, and whether a service's policy lets it go on; pure."""
