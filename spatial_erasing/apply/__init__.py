"""One new scan: what looks abnormal in it and where, in the space of the scan itself."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`from spatial_erasing.apply import apply`; torch and SimpleITK are not imported before that."""
    if name == "apply":
        from spatial_erasing.apply.scans import apply  # noqa: PLC0415

        return apply
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
