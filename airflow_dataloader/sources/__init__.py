"""What is particular to each kind of source: quoting, SQL, types, errors. Opens no connection."""
