"""The operator's commands; never shipped to Lambda."""
