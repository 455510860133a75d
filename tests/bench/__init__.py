"""Benchmarks: adksess and its alternatives, measured in one run on one server."""
