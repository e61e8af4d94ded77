"""Errors that a user can mend: what went wrong, where, and the way out."""


class PmindError(Exception):
    """Base of all errors raised for bad input; command lines print it as one line and exit with 2."""


class ParamsError(PmindError):
    """A parameter is unknown, missing, of the wrong type or out of range."""


class DataError(PmindError):
    """A data file is missing, truncated or of another schema; names file and line."""


class LayoutError(PmindError):
    """A group cannot be laid out: an empty prompt, or an alignment its visibility forbids."""


class ModelError(PmindError):
    """A model folder is incomplete, or of a kind that cannot be wired."""


class SettingsError(PmindError):
    """The caller asks for other settings than the checkpoint was trained with."""


class TrainingError(PmindError):
    """Training cannot go on."""


class DecodingError(PmindError):
    """A generation option is out of range, or a group does not fit the model's positions."""
