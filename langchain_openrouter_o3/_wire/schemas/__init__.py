"""Schemas of callers: read in any dialect, made strict, and undone in what comes back."""
