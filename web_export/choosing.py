"""A channel's settings as one form on its streamer's page; each one is changed as `setup` in chat changes it."""

from dataclasses import dataclass

from aiohttp import web

from commands.acting import give
from commands.authority import role_of
from commands.choices import CHOICES, DEFAULT, MOST_SECONDS
from moments.errors import NotFound, UsageError
from moments.sessions import Channel
from web_export.keys import SERVICES
from web_export.oauth import see_other
from web_export.visitors import viewer_of

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Asked:
    """A setting as the form asks for it: `offered` are its values and their words; none, and it is a number."""

    label: str
    hint: str
    offered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """The same with what holds now."""

    name: str
    asked: Asked
    value: str
    otherwise: str
    """What holds while a number is left empty."""


_SWITCH = (("on", "On"), ("off", "Off"))
ASKED = {
    "visibility": Asked(
        "Who sees your pages",
        "Private pages open for you, your moderators and whoever you give a link.",
        (("public", "Everybody"), ("private", "Only moderators")),
    ),
    "who": Asked(
        "Who may mark",
        "Moderators always may.",
        (
            *(("everyone", "Everyone"), ("subscribers", "Subscribers")),
            *(("vips", "VIPs"), ("moderators", "Moderators")),
        ),
    ),
    "names": Asked("Names beside marks", "On your sessions’ pages and in downloads.", _SWITCH),
    "replies": Asked(
        "Answers in chat",
        "How much the bot says.",
        ((DEFAULT, "As usual"), ("full", "Everything"), ("brief", "Briefly"), ("none", "Nothing")),
    ),
    "cooldown": Asked("Wait between marks", "Seconds one person waits before their next mark."),
    "lead": Asked("Lead", "Seconds before a mark at which links and editor files begin."),
    "window": Asked("Crowd window", "Seconds within which marks by different people are one crowd moment."),
    "markers": Asked(
        "Stream markers", "Marks also become markers in your video on Twitch, if you allowed it there.", _SWITCH
    ),
    "clips": Asked("Real clips", "Moderators may make crowd moments into clips, if you allowed it on Twitch.", _SWITCH),
}
"""The settings of commands.choices that have a place in the form, in its order."""


def fields(request: web.Request, channel: Channel) -> list[Field]:
    """The form, as the channel has chosen."""
    seconds = request.app[SERVICES].defaults
    otherwise = {
        "cooldown": seconds.cooldown_seconds,
        "lead": seconds.lead_seconds,
        "window": seconds.crowd_window_seconds,
    }
    return [Field(name, asked, _shown(channel, name), str(otherwise.get(name, ""))) for name, asked in ASKED.items()]


@routes.post("/me/settings")
async def choose(request: web.Request) -> web.Response:
    """Change what the form says otherwise than the channel does; nothing, when any of it cannot be."""
    viewer = await viewer_of(request)
    if viewer is None:
        return see_other("/me")
    services = request.app[SERVICES]
    channel = await services.store.channel(viewer.platform, viewer.user_id)
    if channel is None:
        raise NotFound("There is no channel of yours here yet. Connect it first.")
    form = await request.post()
    wanted = {name: _word(str(form[name])) for name in ASKED if name in form}
    changed = {name: word for name, word in wanted.items() if _word(_shown(channel, name)) != word}
    for name, word in changed.items():
        if CHOICES[name].change(channel, word) is None:
            raise UsageError(f"{ASKED[name].label}: that is not one of its values. {_values(name)}")
    role = await role_of(services, viewer, channel, act=True)
    for name, word in changed.items():
        await give(services, viewer, role, channel, "setup", f"{name} {word}")
    return see_other(f"/me?said={'chosen' if changed else 'same'}")


def _values(name: str) -> str:
    return "Choose one from the list." if ASKED[name].offered else f"Type whole seconds from 0 to {MOST_SECONDS}."


def _shown(channel: Channel, name: str) -> str:
    """A setting's value as the form has it: a number that was not chosen is empty."""
    value = CHOICES[name].read(channel)
    return "" if value == DEFAULT and not ASKED[name].offered else str(value)


def _word(typed: str) -> str:
    return typed.strip().lower() or DEFAULT
