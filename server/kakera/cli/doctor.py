"""stub"""
def doctor() -> None:
    """Not yet."""
