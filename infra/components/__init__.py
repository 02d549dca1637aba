"""Components: one Pulumi ComponentResource a file, each given its slice of the Plan and other components' outputs."""
