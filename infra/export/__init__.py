"""The program as Terraform's configuration: the same resources, with their references kept."""
