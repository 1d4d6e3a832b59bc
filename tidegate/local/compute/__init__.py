"""Lambda functions as real processes: what runs a function's code in the local cloud.

`functions`, one level up, installs it. Nothing in here knows of pipelines or is shipped to Lambda.
"""
