"""A real Prometheus beside the operator, and the chart's dashboard drawn from what it has."""
