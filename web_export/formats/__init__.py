"""Every download there is. The menu, the routes, the command line and the tests walk FORMATS."""

from moments.errors import NotFound
from web_export.formats.edl import EDL
from web_export.formats.excel_csv import EXCEL_CSV
from web_export.formats.format import Format
from web_export.formats.json_archive import JSON
from web_export.formats.plain_csv import CSV
from web_export.formats.plain_text import TEXT

FORMATS: tuple[Format, ...] = (CSV, EXCEL_CSV, TEXT, JSON, EDL)
_BY_SLUG = {form.slug: form for form in FORMATS}


def by_slug(slug: str) -> Format:
    """The format of a file ending; raises NotFound with the ones there are."""
    try:
        return _BY_SLUG[slug]
    except KeyError:
        raise NotFound(f"There is no such download. These exist: {', '.join(_BY_SLUG)}.") from None
