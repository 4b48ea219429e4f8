"""The commands of `clearance`, a module for each command or group of commands (`index`: a package).

They parse arguments, call the other packages and print; `pipeline.cli.terminal` lays out text.
Imports of the other packages are inside the commands, so that `clearance --help` starts quickly.
`pipeline.cli.main` registers the commands.
"""
