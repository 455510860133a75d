"""Tests of the documentation: commands, examples, options, JSON fields, links and pictures."""
