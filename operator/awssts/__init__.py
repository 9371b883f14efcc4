"""Temporary AWS credentials for Kubernetes pods, with MFA, that renew themselves."""

__version__ = "0.1.0"
