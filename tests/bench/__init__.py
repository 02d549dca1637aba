"""The benchmark: one client, any S3 server, figures beside a baseline of the same run (see README.md)."""
