"""The command line: `main` chooses, one file per command does.

A command's module is imported only when the command is chosen, and torch only when it works, so that help is instant.
"""
