"""The one error that reaches a person as a sentence."""


class UserError(Exception):
    """Something that the person at the keyboard can mend; shown as one line, exit code 1."""
