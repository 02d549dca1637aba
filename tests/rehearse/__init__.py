"""A whole environment rehearsed: the command line, the real engine, the rehearsal provider."""
