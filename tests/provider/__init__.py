"""Alibaba Cloud's own Terraform provider as the judge of what the program asks for."""
