"""The task judge_canary."""
