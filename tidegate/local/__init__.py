"""The embedded local cloud: moto in server mode, and one module per thing that moto lacks.

It holds no pipeline logic and is never shipped to Lambda. What it cannot do is an error that
names the resource type or the action, never a silent skip.
"""
