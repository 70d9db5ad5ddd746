"""The gateway: hello, identify, resume with what was missed, heartbeats, and every way a connection dies."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from tests.fake_discord.interactions import Interaction
from tests.fake_discord.sessions import DISPATCH, Connection, Session
from tests.fake_discord.wire import answer
from tests.fake_discord.world import Json, World

HEARTBEAT, IDENTIFY, PRESENCE, RESUME, RECONNECT, INVALID, HELLO, ACK = 1, 2, 3, 6, 7, 9, 10, 11
IGNORED = {PRESENCE, 4, 8, 14, 31}
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED, ALREADY = 4001, 4002, 4003, 4004, 4005
RATE_LIMITED, TIMED_OUT, INVALID_SHARD, DISALLOWED_INTENTS = 4008, 4009, 4010, 4014
INVALID_SEQ, INVALID_INTENTS = 4007, 4013
GUILDS = 1 << 0
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
COMMANDS_A_MINUTE = 120


class Gateway:
    """Accepts shards and disturbs them.

    To set: `heartbeat_seconds`, `refuse` (turn connections away with 503 while true), `shards` (recommended by
    GET /gateway/bot), `session_starts` (how many IDENTIFYs are left), `identify_seconds` (an IDENTIFY sooner after
    the one before is refused with op 9; 0: never).
    To read: `identifies` and `resumes` (their payloads), `live`, `opened`, `refused`, `closed` (close codes), `beats`,
    `compressions` (what each connection asked for).
    """

    def __init__(self, world: World, token: str, hello: Callable[[Session], Iterable[tuple[str, Json]]]) -> None:
        self._world, self._token, self._hello = world, token, hello
        self.url = ""
        self.heartbeat_seconds = 41.25
        self.refuse = False
        self.shards = 1
        self.session_starts, self.identify_seconds = 1000, 0.0
        self.identifies: list[Json] = []
        self.resumes: list[Json] = []
        self.closed: list[int] = []
        self.compressions: list[str] = []
        self.opened = self.refused = self.beats = 0
        self.sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()
        self._identified_at: dict[int, datetime] = {}

    @property
    def live(self) -> list[Session]:
        """Sessions that are connected now."""
        return [session for session in self.sessions.values() if session.connection is not None]

    async def ready(self) -> None:
        """Wait until a shard is connected and knows where it is."""
        await self._world.until(lambda: self.live)

    async def told(self, request: web.Request) -> web.StreamResponse:
        """GET /gateway/bot."""
        limit = {"total": 1000, "remaining": self.session_starts, "reset_after": 86_400_000, "max_concurrency": 1}
        return answer({"url": self.url, "shards": self.shards, "session_start_limit": limit})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /gateway, as a websocket."""
        if self.refuse:
            self.refused += 1
            self._world.changed()
            raise web.HTTPServiceUnavailable
        ws = web.WebSocketResponse(timeout=1, compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, request)
        self._connections.add(connection)
        self.opened += 1
        self.compressions.append(connection.compress)
        connection.say(HELLO, {"heartbeat_interval": int(self.heartbeat_seconds * 1000), "_trace": []})
        writer = asyncio.create_task(connection.write())
        try:
            await self._listen(connection)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._gone(connection)
        return ws

    def dispatch(self, event: str, data: Json, guild_id: str | None = None, *, intent: int = 0) -> int:
        """To the shard of this guild (the first, when none) if it wants such events; how many sessions got it."""
        told = 0
        for session in self.sessions.values():
            number, of = session.shard
            if (int(guild_id or 0) >> 22) % of == number and session.intents & intent == intent:
                session.dispatch(event, data)
                told += 1
        self._world.changed()
        return told

    def deliver(self, interaction: Interaction) -> None:
        """To whoever is connected, or comes back to its session."""
        guild = interaction.channel.guild
        told = self.dispatch("INTERACTION_CREATE", interaction.payload, guild.id if guild else None)
        assert told, "no session to deliver it to: await discord.gateway.ready() first"

    async def replay(self, interaction: Interaction) -> None:
        """Deliver it once more, as the gateway may."""
        self.deliver(interaction)

    async def abort(self) -> None:
        """Cut every connection without a closing handshake; sessions may be resumed."""
        for connection in list(self._connections):
            connection.abort()
            self._gone(connection)

    async def close(self, code: int = 4000) -> None:
        """Close every connection with this code."""
        for connection in list(self._connections):
            connection.close(code)

    async def silence(self) -> None:
        """Every connection stays open and says nothing any more, heartbeats go unanswered."""
        for connection in self._connections:
            connection.silent = True

    async def reconnect(self) -> None:
        """Op 7: please connect anew and resume."""
        for connection in self._connections:
            connection.say(RECONNECT)

    async def invalid_session(self, *, resumable: bool) -> None:
        """Op 9."""
        for connection in list(self._connections):
            connection.say(INVALID, resumable)
            if not resumable and connection.session:
                self.sessions.pop(connection.session.id, None)

    async def send_raw(self, frame: bytes | str | Json) -> None:
        """To every session: a dict as the next event (`t`, `d`; op and s are filled in), bytes or text as they are."""
        for session in self.live:
            assert session.connection
            if isinstance(frame, dict):
                session.sent.append(orjson.dumps({"op": DISPATCH, "s": len(session.sent) + 1, "d": None} | frame))
                session.connection.put(session.sent[-1])
            else:
                session.connection.put(frame.encode() if isinstance(frame, str) else frame)

    def stop(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _listen(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.heartbeat_seconds * 1.5) as patience:
                async for message in connection.ws:
                    if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not connection.silent:
                        beats = connection.beats
                        self._hear(connection, message.data)
                        if connection.beats > beats:
                            patience.reschedule(loop.time() + self.heartbeat_seconds * 1.5)
        except TimeoutError:
            await connection.ws.close(code=TIMED_OUT)

    def _hear(self, connection: Connection, text: str | bytes) -> None:
        try:
            frame = orjson.loads(text)
            op, data = frame["op"], frame.get("d")
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return connection.close(DECODE_ERROR)
        if self._too_many(connection):
            return connection.close(RATE_LIMITED)
        acts: dict[int, Callable[[Connection, Any], None]] = {
            HEARTBEAT: self._beat,
            IDENTIFY: self._identify,
            RESUME: self._resume,
        }
        if op in acts:
            return acts[op](connection, data)
        return connection.close(UNKNOWN_OPCODE) if op not in IGNORED else self._need_session(connection)

    def _need_session(self, connection: Connection) -> None:
        if connection.session is None:
            connection.close(NOT_AUTHENTICATED)

    def _too_many(self, connection: Connection) -> bool:
        now = asyncio.get_running_loop().time()
        connection.commands = [at for at in connection.commands if at > now - 60] + [now]
        return len(connection.commands) > COMMANDS_A_MINUTE

    def _beat(self, connection: Connection, data: object) -> None:
        connection.beats += 1
        self.beats += 1
        connection.say(ACK)
        self._world.changed()

    def _identify(self, connection: Connection, data: Json) -> None:
        self.identifies.append(data)
        self._world.changed()
        intents = data["intents"] if isinstance(data.get("intents"), int) else -1
        number, of = data.get("shard", (0, 1))
        refusals = [
            (connection.session is not None, ALREADY),
            (data.get("token") != self._token, AUTHENTICATION_FAILED),
            (intents < 0, INVALID_INTENTS),
            (not 0 <= number < of, INVALID_SHARD),
            (bool(intents & PRIVILEGED), DISALLOWED_INTENTS),
        ]
        if code := next((code for wrong, code in refusals if wrong), None):
            return connection.close(code)
        last, now = self._identified_at.get(number), self._world.now()
        if self.session_starts <= 0 or (last and now - last < timedelta(seconds=self.identify_seconds)):
            return connection.say(INVALID, False)
        self._identified_at[number] = now
        self.session_starts -= 1
        return self._start(connection, Session((number, of), intents))

    def _start(self, connection: Connection, session: Session) -> None:
        for old in [each for each in self.sessions.values() if each.shard == session.shard]:
            if old.connection is None:  # a new session does not end the connection of one that is still open
                del self.sessions[old.id]
        self.sessions[session.id] = session
        session.connection, connection.session = connection, session
        for event, data in self._hello(session):
            session.dispatch(event, data)
        self._world.changed()

    def _resume(self, connection: Connection, data: Json) -> None:
        self.resumes.append(data)
        session = self.sessions.get(data.get("session_id") or "")
        seq = data.get("seq")
        if data.get("token") != self._token:
            connection.close(AUTHENTICATION_FAILED)
        elif session is None:
            connection.say(INVALID, False)
        elif not isinstance(seq, int) or not 0 <= seq <= len(session.sent):
            connection.close(INVALID_SEQ)
        else:
            self._go_on(connection, session, seq)
        self._world.changed()

    def _go_on(self, connection: Connection, session: Session, seq: int) -> None:
        if session.connection is not None:
            session.connection.session = None
        session.connection, connection.session = connection, session
        for frame in session.sent[seq:]:
            connection.put(frame)
        session.dispatch("RESUMED", {"_trace": []})

    def _gone(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        code = connection.ws.close_code or 1006
        self.closed.append(code)
        session, connection.session = connection.session, None
        if session is not None:
            session.connection = None
            if code in (1000, 1001) and connection.closed_with is None:  # a client that closes so gives the session up
                self.sessions.pop(session.id, None)
        self._world.changed()
