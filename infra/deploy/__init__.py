"""One stack of a Plan, step by step; `infra/__main__.py` is its table of contents."""
