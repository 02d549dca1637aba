"""The command line of the framework: `kakera-infra COMMAND`. Not part of the installed package."""
