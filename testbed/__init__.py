"""A real local cluster and a strict STS: the ground that the demo, the tests and the benchmarks stand on."""
