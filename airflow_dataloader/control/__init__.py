"""The control database: its schema, its statements, and who may write what and when.

What the documents' ``LakebaseResource`` does are functions here: what may be asked of rows, of ``lookup``;
what may be told to them, of ``claim``, ``tracking``, ``retry`` and ``intervene``.
"""
