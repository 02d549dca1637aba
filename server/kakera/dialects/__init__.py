"""Vendors' dialects: HTTP to neutral commands and back."""
