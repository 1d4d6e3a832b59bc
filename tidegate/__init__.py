"""Tidegate: continuous delivery for AWS Lambda that is itself serverless."""

from __future__ import annotations

__version__ = "0.1.0"
