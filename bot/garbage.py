"""Python's garbage collector, set for a process that should never pause for long."""

import gc

YOUNG, MIDDLE, OLD = 2_000, 10, 50
"""Objects made before a collection, and collections of one age before one of the next."""


def settle() -> None:
    """Call once, when everything is loaded and before the first message.

    A full collection looks at every object there is and stops the event loop meanwhile: 20 to 30 ms with all modules
    loaded, several times a second in a flood. What is here by now stays for good, so it is never looked at again;
    and since thousands of messages are under way at once, the usual 700 objects are no sign of garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
