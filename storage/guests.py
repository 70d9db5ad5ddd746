"""What services lent us for a time: no copy that nobody purges may hold it (R1), and none may bring it back (R3)."""

from storage._sqlite import Connection

_GUESTS = (
    ("api_source", "DELETE FROM api_source WHERE expires_at IS NOT NULL"),
    ("api_stream", "DELETE FROM api_stream"),
    ("api_archive", "DELETE FROM api_archive"),
    ("connection", "UPDATE channel SET login = NULL, login_expires_at = NULL"),
)
"""Each with the table whose migration brought it."""


async def send_away(connection: Connection) -> None:
    """Delete all of it from a database of any version; it is asked for anew where it is missed."""
    found = await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'")
    there = {name for (name,) in found}
    for table, statement in _GUESTS:
        if table in there:
            await connection.execute(statement)
