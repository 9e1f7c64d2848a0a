"""Compares sources with their targets; claims nothing and writes nothing."""
