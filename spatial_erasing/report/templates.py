"""The pages of the report before anything is filled in."""

from pathlib import Path

from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "pages"


def read_template(name: str) -> str:
    """A file of the folder of templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def fill_template(name: str, **values: object) -> str:
    """A page with these values in its places; what comes from files and config is escaped (Jinja)."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(read_template(name)).render(**values)
