"""Seeds from hashes of names, the same on every machine."""

from hashlib import sha256


def hash_seed(*parts: object) -> int:
    """A 63-bit seed from these names, the same in every process and on every machine.

    Python's own `hash` changes from process to process; SHA-256 of the joined text does not.
    """
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


def hash_fraction(*parts: object) -> float:
    """A number in [0, 1), uniform over names."""
    # 53 bits fit a double exactly, so that the result is below 1
    return (hash_seed(*parts) >> 10) / 2**53
