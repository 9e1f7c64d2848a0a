"""Engines that read, stage and publish, behind one protocol."""
