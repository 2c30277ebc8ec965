"""One file for each schema version.

Rule: a file that was released never changes; revisions are numbered 0001, 0002, ... and listed in
`store.versions.VERSIONS`.
"""
