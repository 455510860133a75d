"""Benchmarks: adksess beside what a user would otherwise pick, in one run, on one server."""
