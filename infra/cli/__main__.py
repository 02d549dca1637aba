"""`python -m infra.cli`, which is what `kakera-infra` runs."""

from infra.cli.app import main

main()
