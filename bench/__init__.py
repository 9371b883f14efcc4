"""Measurements on the testbed; they assert nothing."""
