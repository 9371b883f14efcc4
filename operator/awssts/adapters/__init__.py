"""The outside: STS, the Kubernetes API, telemetry."""
