"""The one exception that is the user's to mend."""


class SettingError(ValueError):
    """A setting that cannot work. Its message is one line: the setting, its value and the way out.

    Commands print the message and exit with a non-zero status; every other exception is a defect of ours.
    """
