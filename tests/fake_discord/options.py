"""What Discord's own client checks before it sends: a command's options, a form's fields."""

from collections.abc import Mapping

from tests.fake_discord.world import Json

STRING, INTEGER, BOOLEAN, NUMBER = 3, 4, 5, 10
TYPES: dict[int, type | tuple[type, ...]] = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}
TEXT_INPUT, LABEL, ACTION_ROW, TEXT_DISPLAY = 4, 18, 1, 10
LONGEST = 6000


def given(command: Json, options: Mapping[str, object], *, focused: str | None = None) -> list[Json]:
    """The options as sent, in the command's order; AssertionError when Discord's client would not send them."""
    known = {each["name"]: each for each in command.get("options") or []}
    unknown = set(options) - set(known)
    assert not unknown, f"/{command['name']} has no option {sorted(unknown)}; it has {sorted(known)}"
    if focused is not None:
        assert known[focused].get("autocomplete"), f"{focused} of /{command['name']} has no autocomplete"
    sent = []
    for name, option in known.items():
        if name not in options:
            assert focused or not option.get("required"), f"/{command['name']} needs {name}"
            continue
        if focused is None:
            _check(option, options[name])
        told: Json = {"name": name, "type": option["type"], "value": options[name]}
        sent.append(told | ({"focused": True} if name == focused else {}))
    return sent


def _check(option: Json, value: object) -> None:
    name, kind = option["name"], option["type"]
    assert kind in TYPES, f"{name}: options of type {kind} are not built here"
    right = isinstance(value, TYPES[kind]) and (kind == BOOLEAN) == isinstance(value, bool)
    assert right, f"{name} is of type {kind}, not {value!r}"
    if isinstance(value, str):
        low, high = option.get("min_length", 0), option.get("max_length", LONGEST)
        assert low <= len(value) <= high, f"{name} has {low} to {high} characters, not {len(value)}"
    elif isinstance(value, int | float):
        low, high = option.get("min_value", value), option.get("max_value", value)
        assert low <= value <= high, f"{name} is from {low} to {high}, not {value}"
    if choices := option.get("choices"):
        assert value in [each["value"] for each in choices], f"{value!r} is no choice of {name}"


def filled(components: list[Json], fields: Mapping[str, str]) -> list[Json]:
    """A form's components as they come back; AssertionError when Discord's client would not send them."""
    left = dict(fields)
    sent = [_sent(each, number, left) for number, each in enumerate(components, 1)]
    assert not left, f"the form has no field {sorted(left)}"
    return sent


def _sent(component: Json, number: int, left: dict[str, str]) -> Json:
    kind = component["type"]
    about: Json = {"type": kind, "id": component.get("id") or number}
    if kind == LABEL:
        return about | {"component": _sent(component["component"], number + 100, left)}
    if kind == ACTION_ROW:
        inner = enumerate(component["components"], number + 100)
        return about | {"components": [_sent(each, number, left) for number, each in inner]}
    if kind == TEXT_DISPLAY:
        return about
    assert kind == TEXT_INPUT, f"components of type {kind} are not built here"
    custom_id = component["custom_id"]
    value = left.pop(custom_id, component.get("value") or "")
    if value or component.get("required", True) is not False:
        low, high = component.get("min_length") or 0, component.get("max_length") or 4000
        low = max(low, 1) if component.get("required", True) is not False else low
        assert low <= len(value) <= high, f"{custom_id} has {low} to {high} characters, not {len(value)}"
    return about | {"custom_id": custom_id, "value": value}
