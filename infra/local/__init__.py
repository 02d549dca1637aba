"""A blueprint of one host, run on the machine it was typed on."""
