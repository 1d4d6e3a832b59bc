"""The pipeline as a CDK app: one stack for the pipeline, one small stack for each stage.

Nothing here runs in Lambda, and synthesis asks nobody: no AWS, no network, no git.
"""
