"""The Pulumi engine as the command line uses it: programs, environment, project folder, stacks."""
