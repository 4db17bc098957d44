"""What can go wrong in the demo, in one sentence with what to do."""


class DemoError(Exception):
    """The demo cannot go on; its text is all that the reader needs."""
