"""What the architect wrote, read strictly, and expanded to the Plan."""
