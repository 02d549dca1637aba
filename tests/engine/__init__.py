"""Whole stacks on the real engine and the rehearsal's cloud."""
