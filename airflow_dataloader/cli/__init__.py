"""The command line: ``dataloader …``."""
