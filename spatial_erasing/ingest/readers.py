"""The layouts of data sets that can be read: a word of config.yaml to its module.

Needs no other package: a study is checked where Snakemake alone may be installed.
"""

from spatial_erasing.ingest import atlas, bids, brats, ixi, table

READERS = {"atlas": atlas, "bids": bids, "brats": brats, "ixi": ixi, "table": table}


def known_sequences(reader: str) -> tuple[str, ...] | None:
    """The sequences that a reader knows by the names of files; None for a table, with columns of any name."""
    return READERS[reader].SEQUENCES
