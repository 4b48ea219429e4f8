"""The commands of `clearance`, a module for each or for each group of them: parse, call, print.

Nothing is decided here. Every import of the product's own steps is inside a command, so that
`clearance --help` answers at once. `pipeline.cli.main` puts the commands together.
"""
