"""The demo, `make demo`: from an AwsStsRequest to credentials that AWS takes, on a real cluster."""
