"""The one exception a user's mistake raises."""


class UserError(Exception):
    """Something the user can mend: a file, an option or a value, always named in the message.

    The command-line programs print the message without a traceback and exit with status 2. Library users
    catch it like any other exception.
    """
