"""Use cases: they carry out what the domain decides, over Protocols."""
