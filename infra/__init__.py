"""The deployment framework: from a blueprint to a verified, running store."""
